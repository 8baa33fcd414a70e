/**
 * A worker that replays records about cells, of which it owns some.
 *
 * @module
 */
/// <reference lib="deno.worker" />
import { Replay } from "../../../../src/engine/persistence/replay.ts";
import { applyTo, numbersOf } from "./_cells.ts";

/** What it is to do. */
export interface ReplayTask {
  readonly self: number;
  readonly workers: number;
  readonly cells: SharedArrayBuffer;
  readonly words: SharedArrayBuffer;
  readonly chunks: readonly {
    readonly bytes: SharedArrayBuffer;
    readonly first: number;
  }[];
}

self.onmessage = (event: MessageEvent<ReplayTask>) => {
  const { self: own, workers, words, chunks } = event.data;
  const cells = new Int32Array(event.data.cells);
  const replay = new Replay({
    self: own,
    workers,
    words,
    ports: {
      ownerOf: (args) => {
        const [first, ...others] = numbersOf(args)[0]!;
        const owner = first! % workers;
        return others.every((cell) => cell % workers === owner) ? owner : -1;
      },
      run: (_db, args) => applyTo(cells, args),
    },
  });
  const errors = chunks.map(({ bytes, first }) =>
    replay.take(new Uint8Array(bytes), bytes.byteLength, first)
  );
  self.postMessage(errors.find((error) => error !== null) ?? null);
};
