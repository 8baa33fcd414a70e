import { differentialFamily } from "./_family.ts";
import { SORT_ROWS } from "./_sort_rows.ts";

differentialFamily("sort", SORT_ROWS, {
  smallLimits: true,
  // The order of the look-ups of weights is that of the server's own tables.
  eventClasses: "AKEn",
});
