/**
 * Arguments that a command has for itself, wherever they were: short ones are copied,
 * the runs in which the others lie are referred to.
 *
 * @module
 */

import { concat } from "@std/bytes";
import { type Arena, SEGMENT_SHIFT } from "../memory/arena.ts";
import type { ExternalStrings } from "../memory/external.ts";
import { Arguments } from "../resp/arguments.ts";

/** A long argument. */
export interface ArgumentRun {
  readonly run: number;
  readonly length: number;
}

/** The bytes of a short argument, or where a long one lies. */
export type ArgumentPart = Uint8Array | ArgumentRun;

/** Makes arguments; {@linkcode freeRuns} must follow. */
export function ownArguments(
  arena: Arena,
  externals: ExternalStrings,
  parts: readonly ArgumentPart[],
): Arguments {
  const args = new Arguments();
  args.buf = concat(parts.filter((part) => part instanceof Uint8Array));
  let off = 0;
  for (const part of parts) {
    const { length } = part;
    if (part instanceof Uint8Array) {
      args.add(off, length);
      off += length;
      continue;
    }
    const { run } = part;
    externals.pin(run);
    const at = externals.offset(run);
    args.addBig(run, arena.u8, run >>> SEGMENT_SHIFT, at, length);
  }
  return args;
}

/** Lets go of the runs that the command has not kept. */
export function freeRuns(args: Arguments, externals: ExternalStrings): void {
  for (let i = 0; i < args.count; i++) {
    const run = args.takeBig(i);
    if (run !== 0) externals.unpin(run);
  }
  args.clear();
}
