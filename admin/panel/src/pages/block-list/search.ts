// What the address of the block list holds.
import * as v from "valibot";
import { oneOf, text } from "../../ui/address";

export const STATES = ["BLOCKED", "UNBLOCKED"] as const;

/** What is blocked, where no state is given. */
export const BlockListSearch = v.object({ state: oneOf(STATES), item: text });
