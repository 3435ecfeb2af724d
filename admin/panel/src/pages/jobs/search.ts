// What the address of the jobs holds.
import * as v from "valibot";
import { oneOf, text } from "../../ui/address";

export const STATES = ["FAILED", "WAITING", "RUNNING"] as const;

/** The failed ones, where no state is given: they need somebody. */
export const JobsSearch = v.object({ state: oneOf(STATES), item: text });
