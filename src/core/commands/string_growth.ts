/**
 * Strings that become much longer, or are copied because a reply still reads
 * them: in slices, as a long one is copied and cleared for a long time.
 *
 * A string with room behind it is made longer where it lies, else it gets a new
 * run. Either way its length, which is what counts, changes at the end only.
 *
 * Memory that nobody has used yet takes the kernel milliseconds when it is touched:
 * that of a new run, of which nobody else knows, is touched without the latch, and
 * so is room behind a string, which is nobody else's while its key is locked.
 *
 * @module
 */

import { copyBytes } from "../base/bytes.ts";
import type { EffectLog } from "../keyspace/effect_log.ts";
import type { Key } from "../keyspace/key.ts";
import type { Keyspace } from "../keyspace/keyspace.ts";
import { PAGE_BYTES } from "../memory/arena.ts";
import { OutOfMemory } from "../memory/heap.ts";
import type { Arguments } from "../resp/arguments.ts";
import { STRING_EXTERNAL } from "../types/entry.ts";
import type { SlicedChange } from "./call.ts";
import type { LateReply } from "./command_spec.ts";
import type { ChangeRecord } from "./given_record.ts";

/** Bytes that are copied or cleared in one slice. */
const SLICE_BYTES = 1 << 19;
/** Bytes that are touched or cleared in one slice without the latch. */
const READY_BYTES = 1 << 20;
/** With more bytes to copy and to clear, it is done in slices. */
const SLICED_BYTES_MIN = 2 << 20;

/** What becomes of a string. */
export interface Growth {
  /** Bytes that it has. */
  readonly had: number;
  /** Bytes that it shall have, as many or more. */
  readonly length: number;
  /** Those from `had` to here are cleared. */
  readonly clearTo: number;
  /** The argument that is copied into it; 0 for none. */
  readonly argument: number;
  /** Where that goes. */
  readonly argumentAt: number;
}

/** What a command does when the string is as long as it shall be. */
export type GrowthEnd = (
  space: Keyspace,
  db: number,
  key: Key,
  ref: number,
  args: Arguments,
) => LateReply;

/**
 * Whether a string of `had` bytes, whose entry is `ref`, or 0, is to grow in
 * slices to `length` bytes, of which `written` come from an argument.
 */
export function growsLong(
  space: Keyspace,
  ref: number,
  had: number,
  length: number,
  written: number,
): boolean {
  if (length + written <= SLICED_BYTES_MIN) return false;
  return length - had + written + copiedBytes(space, ref, had, length) >
    SLICED_BYTES_MIN;
}

/** Bytes that are copied, unless there is room behind the string's run. */
function copiedBytes(
  space: Keyspace,
  ref: number,
  had: number,
  length: number,
): number {
  if (ref === 0 || space.encoding(ref) !== STRING_EXTERNAL) return had;
  const run = space.valueRef(ref);
  const { externals } = space;
  return externals.isShared(run) || length > externals.capacity(run) ? had : 0;
}

/** Makes a string as long as it shall be. */
export class StringGrowth implements SlicedChange {
  /** Null while a new run is made, or memory made ready. */
  place: null | undefined = undefined;
  readonly #growth: Growth;
  readonly #end: GrowthEnd;
  readonly #record: ChangeRecord | null;
  /** The run that the string will have; 0 before the first slice. */
  #run = 0;
  /** Whether it is a new one. */
  #isNew = false;
  /** Bytes that a new one is to have room for. */
  #room = 0;
  /** Whether nothing is done without the latch. */
  #isAtOnce = false;
  /** Bytes of it that have been touched. */
  #ready = 0;
  #copied = 0;
  #cleared: number;
  #written = 0;

  /** `record` is that of the command, if it was made before. */
  constructor(
    growth: Growth,
    end: GrowthEnd,
    record: ChangeRecord | null = null,
  ) {
    this.#growth = growth;
    this.#record = record;
    this.#cleared = growth.had;
    this.#end = end;
  }

  hurry(): void {
    this.#isAtOnce = true;
    this.place = undefined;
  }

  step(space: Keyspace, ref: number, args: Arguments): boolean {
    if (this.place === null) return this.#makeReady(space);
    if (this.#run === 0 && !this.#begin(space, ref)) {
      this.place = null;
      return true;
    }
    const { had, clearTo, argument, argumentAt } = this.#growth;
    const bytes = space.externals.bytes(this.#run);
    const start = space.externals.offset(this.#run);
    let left = SLICE_BYTES;
    if (this.#copied < had) {
      const count = Math.min(left, had - this.#copied);
      copyBytes(
        space.strings.bytes(ref),
        space.strings.off(ref) + this.#copied,
        bytes,
        start + this.#copied,
        count,
      );
      this.#copied += count;
      left -= count;
    }
    if (this.#cleared < clearTo) {
      const count = Math.min(left, clearTo - this.#cleared);
      const from = start + this.#cleared;
      bytes.fill(0, from, from + count);
      this.#cleared += count;
      left -= count;
    }
    // It may go where something else was copied to.
    const length = argument === 0 ? 0 : args.length[argument]!;
    if (this.#written < length) {
      const count = Math.min(left, length - this.#written);
      copyBytes(
        args.source(argument),
        args.off[argument]! + this.#written,
        bytes,
        start + argumentAt + this.#written,
        count,
      );
      this.#written += count;
    }
    return this.#copied < had || this.#cleared < clearTo ||
      this.#written < length;
  }

  /** Touches a part of the run, and clears what is to be cleared of it. */
  #makeReady(space: Keyspace): true {
    if (this.#run === 0) {
      this.#make(space);
      // That there is no memory is for the next slice to say.
      if (this.#run === 0) this.hurry();
      return true;
    }
    const { externals } = space;
    const { had, clearTo, length } = this.#growth;
    const bytes = externals.bytes(this.#run);
    const start = externals.offset(this.#run);
    const end = Math.min(length, this.#ready + READY_BYTES);
    for (let at = this.#ready; at < end; at += PAGE_BYTES) {
      bytes[start + at] = 0;
    }
    const from = Math.max(this.#ready, had);
    const to = Math.min(end, clearTo);
    if (from < to) {
      bytes.fill(0, start + from, start + to);
      this.#cleared = to;
    }
    this.#ready = end;
    if (end === length) this.place = undefined;
    return true;
  }

  /** Whether there is a run; if not, it is made ready without the latch. */
  #begin(space: Keyspace, ref: number): boolean {
    const { had, length } = this.#growth;
    const isExternal = ref !== 0 && space.encoding(ref) === STRING_EXTERNAL;
    if (isExternal && hasRoom(space, space.valueRef(ref), length)) {
      this.#run = space.valueRef(ref);
      this.#copied = this.#ready = had;
      return this.#isAtOnce || had === length;
    }
    // As where it is done at once, see Strings.resize.
    this.#room = isExternal && length > had ? length + (length >>> 2) : length;
    if (!this.#isAtOnce) return false;
    this.#make(space);
    if (this.#run === 0) throw new OutOfMemory();
    return true;
  }

  /** Makes a run, if there is memory. */
  #make({ externals }: Keyspace): void {
    this.#run = externals.create(this.#room) ||
      externals.create(this.#growth.length);
    this.#isNew = this.#run !== 0;
  }

  finish(
    space: Keyspace,
    db: number,
    key: Key,
    args: Arguments,
    effects: EffectLog | null = null,
  ): LateReply {
    const run = this.#run;
    space.externals.setLength(run, this.#growth.length);
    const ref = space.peek(db, key);
    if (this.#isNew) {
      const expireAtMs = ref === 0 ? 0 : space.expireAt(ref);
      // From here on it is the entry's, or given back.
      this.#isNew = false;
      space.strings.setExternal(db, key, ref, run, expireAtMs);
    }
    if (effects !== null) this.#record?.end(effects);
    return this.#end(space, db, key, space.peek(db, key), args);
  }

  drop(space: Keyspace): void {
    if (this.#isNew) space.externals.unpin(this.#run);
    this.#isNew = false;
  }
}

/** Whether a run can be made so long where it lies; it has room then. */
function hasRoom(space: Keyspace, run: number, length: number): boolean {
  const { externals, heap } = space;
  if (externals.isShared(run)) return false;
  if (length <= externals.capacity(run)) return true;
  heap.disownRun(run);
  const isExtended = externals.extend(run, length);
  heap.adoptRun(run);
  return isExtended;
}
