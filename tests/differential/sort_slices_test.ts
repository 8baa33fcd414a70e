/**
 * SORT beside redis-server, where all that may be done in the background or in
 * slices is, from two elements on.
 *
 * @module
 */
import { differentialFamily } from "./_family.ts";
import { SORT_ROWS } from "./_sort_rows.ts";

differentialFamily("sort in slices", SORT_ROWS, {
  smallLimits: true,
  eventClasses: "AKEn",
  // A log gets the list that was stored.
  hasNoEffects: true,
  workers: [1],
  args: ["--background-threshold", "1"],
});
