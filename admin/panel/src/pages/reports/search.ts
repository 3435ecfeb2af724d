// What the address of the reports holds.
import * as v from "valibot";
import { oneOf, text } from "../../ui/address";

export const STATES = ["OPEN", "RESOLVED"] as const;

/** The open ones, where no state is given: they wait for a decision. */
export const ReportsSearch = v.object({ state: oneOf(STATES), item: text });
