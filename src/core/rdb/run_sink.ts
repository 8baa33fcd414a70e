/**
 * A sink that gathers what a writer writes in a run of the arena, so that a long
 * dumped value is no burden for V8's heap.
 *
 * The run grows where it stands as long as the pages behind it are free;
 * otherwise a longer one takes its place.
 *
 * @module
 */

import { copyBytes } from "../base/bytes.ts";
import type { ExternalStrings } from "../memory/external.ts";
import { OutOfMemory } from "../memory/heap.ts";
import type { RdbSink } from "./rdb_writer.ts";

/** Room that the first bytes get. */
const FIRST_BYTES = 256 * 1024;

/** Makes external strings; begun and ended for each. */
export class RunSink implements RdbSink {
  #externals: ExternalStrings | undefined;
  #run = 0;

  /** Begins; nothing is allocated before the first write. */
  begin(externals: ExternalStrings): void {
    this.#externals = externals;
    this.#run = 0;
  }

  write(buf: Uint8Array, off: number, length: number): void {
    const externals = this.#externals!;
    const written = this.#run === 0 ? 0 : externals.length(this.#run);
    this.#reserve(written, written + length);
    copyBytes(
      buf,
      off,
      externals.bytes(this.#run),
      externals.offset(this.#run) + written,
      length,
    );
    externals.setLength(this.#run, written + length);
  }

  /** Ends: the run, which is the caller's now. */
  finish(): number {
    const run = this.#run;
    this.#run = 0;
    this.#externals!.trim(run);
    return run;
  }

  /** Ends: what was written is not wanted. */
  drop(): void {
    if (this.#run !== 0) this.#externals!.unpin(this.#run);
    this.#run = 0;
  }

  #reserve(written: number, bytes: number): void {
    const externals = this.#externals!;
    const run = this.#run;
    if (run !== 0 && bytes <= externals.capacity(run)) return;
    const room = Math.max(FIRST_BYTES, bytes * 2);
    if (run !== 0 && externals.extend(run, room)) return;
    const made = externals.create(room) || externals.create(bytes);
    if (made === 0) throw new OutOfMemory();
    if (run !== 0) {
      copyBytes(
        externals.bytes(run),
        externals.offset(run),
        externals.bytes(made),
        externals.offset(made),
        written,
      );
      externals.unpin(run);
    }
    this.#run = made;
  }
}
