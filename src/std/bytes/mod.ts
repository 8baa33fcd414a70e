/**
 * A stand-in for the package `@std/bytes`, linked by `deno.json` where JSR is
 * out of reach: what sherd uses of it, with the same signatures. Nothing here
 * may be missing from the real package.
 *
 * @module
 */
export * from "./concat.ts";
export * from "./equals.ts";
export * from "./includes_needle.ts";
export * from "./index_of_needle.ts";
export * from "./starts_with.ts";
