// Typed documents: `graphql("…")` is checked against the server's own schema.graphql.
import { initGraphQLTada } from "gql.tada";
import type { introspection } from "./schema";

export const graphql = initGraphQLTada<{
  introspection: introspection;
  disableMasking: true;
  scalars: { DateTime: string; JSON: unknown; Long: number; Sha256: string };
}>();

export type { ResultOf, VariablesOf } from "gql.tada";
