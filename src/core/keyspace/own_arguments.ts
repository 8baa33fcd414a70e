/**
 * Arguments that a command has for itself, wherever they were: short ones are copied,
 * the runs in which the others lie are referred to.
 *
 * @module
 */

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

const NO_ROOM = new Uint8Array(0);

/**
 * Makes arguments; {@linkcode freeRuns} must follow. The short ones are copied to
 * `room`, where they fit, and stay there until it is used again.
 */
export function ownArguments(
  arena: Arena,
  externals: ExternalStrings,
  parts: readonly ArgumentPart[],
  room = NO_ROOM,
): Arguments {
  const args = new Arguments();
  const short = parts.filter((part) => part instanceof Uint8Array);
  const bytes = short.reduce((sum, { length }) => sum + length, 0);
  args.buf = bytes <= room.length ? room : new Uint8Array(bytes);
  let off = 0;
  for (const part of parts) {
    const { length } = part;
    if (part instanceof Uint8Array) {
      args.buf.set(part, off);
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
