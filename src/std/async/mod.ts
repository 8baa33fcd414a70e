/**
 * A stand-in for the package `@std/async`, linked by `deno.json` where JSR is
 * out of reach: what sherd uses of it, with the same signatures. Nothing here
 * may be missing from the real package.
 *
 * @module
 */
export * from "./deadline.ts";
export * from "./delay.ts";
export * from "./retry.ts";
