/**
 * The snapshots of a server, on the thread that writes them: who may begin one,
 * what is known about them, and what becomes of their files.
 *
 * @module
 */

import type { Disk } from "./disk.ts";
import {
  LAST_SAVE_CHANGES,
  LAST_SAVE_FAILED,
  LAST_SAVE_PEAK_BYTES,
  LAST_SAVE_S,
  LAST_SAVE_SECONDS,
  LAST_TRY_MS,
  SAVE_SCHEDULED,
  SAVES,
  SAVING,
  SAVING_KEYS,
  SAVING_KEYS_DONE,
  SAVING_PEAK_BYTES,
  SAVING_START_MS,
} from "./persistence_facts.ts";
import { SnapshotFile } from "./snapshot_file.ts";
import type {
  SnapshotCut,
  SnapshotOptions,
  SnapshotSink,
  SnapshotTaker,
} from "./snapshot_taker.ts";

/** Where a snapshot goes, and how. */
export interface SaveRequest extends SnapshotOptions {
  /** The folder, absolute. */
  readonly folder: string;
  /** Name of the file. */
  readonly name: string;
}

/** What snapshots need from the server. */
export interface SnapshotsParts {
  readonly taker: SnapshotTaker;
  readonly disk: Disk;
  /** The doubles of persistence_facts.ts. */
  readonly facts: Float64Array;
  /** Milliseconds of the epoch. */
  nowMs(): number;
  /** Distinguishes the temporary files of this process. */
  readonly unique: string;
  /** Writes a line to the log. */
  log(level: "notice" | "warning", text: string): void;
  /** Tells the workers that a snapshot has worked, or has not. */
  statusChanged(): void;
}

/** Snapshots of a server. */
export class Snapshots {
  readonly #parts: SnapshotsParts;
  #scheduled: SaveRequest | null = null;
  #last: Promise<unknown> = Promise.resolve();
  #isSaving = false;

  /** One per server. */
  constructor(parts: SnapshotsParts) {
    this.#parts = parts;
  }

  /** Whether one is under way, for a file of its own or for a log. */
  get isBusy(): boolean {
    return this.#isSaving || this.#parts.taker.isBusy;
  }

  /**
   * Takes a snapshot into a file. `onCut` is called once: when its instant has
   * come, or when it has failed before. Resolves to the reason why there is no
   * new file, or null. Does nothing while another one is under way, see
   * {@linkcode isBusy}.
   */
  async save(
    request: SaveRequest,
    onCut: () => void = () => {},
  ): Promise<string | null> {
    const { facts, nowMs, log } = this.#parts;
    const startMs = nowMs();
    facts[SAVING] = 1;
    facts[SAVING_START_MS] = facts[LAST_TRY_MS] = startMs;
    this.#isSaving = true;
    const saved = this.#save(request, onCut);
    this.#last = saved;
    const outcome = await saved;
    onCut();
    this.#isSaving = false;
    facts[SAVING] = 0;
    facts[LAST_SAVE_SECONDS] = Math.round((nowMs() - startMs) / 1000);
    facts[LAST_SAVE_PEAK_BYTES] = facts[SAVING_PEAK_BYTES]!;
    facts[LAST_SAVE_FAILED] = typeof outcome === "string" ? 1 : 0;
    if (typeof outcome === "string") {
      log("warning", `Failed saving the DB: ${outcome}`);
    } else {
      facts[LAST_SAVE_S] = Math.floor(nowMs() / 1000);
      facts[LAST_SAVE_CHANGES] = outcome.changes;
      facts[SAVES] = facts[SAVES]! + 1;
      log("notice", `DB saved on disk: ${outcome.keys} keys`);
    }
    this.#parts.statusChanged();
    this.#beginScheduled();
    return typeof outcome === "string" ? outcome : null;
  }

  /** Whether a file is being written. */
  get isSavingFile(): boolean {
    return this.#isSaving;
  }

  /** Resolves when the snapshot under way, if there is one, is done. */
  async settled(): Promise<void> {
    while (this.isBusy) await this.#last;
  }

  /** Takes a snapshot when the one under way is done. */
  schedule(request: SaveRequest): void {
    this.#scheduled = request;
    this.#parts.facts[SAVE_SCHEDULED] = 1;
  }

  /**
   * Takes a snapshot into a sink, for who makes more of it than a file: see
   * {@linkcode SnapshotTaker.take}. A scheduled one begins when it is done.
   */
  async takeInto(
    options: SnapshotOptions,
    sink: SnapshotSink,
    onCut: (cut: SnapshotCut) => void,
  ): Promise<void> {
    const taken = this.#parts.taker.take(options, sink, onCut);
    this.#last = taken.catch(() => {});
    try {
      await taken;
    } finally {
      this.#beginScheduled();
    }
  }

  #beginScheduled(): void {
    const request = this.#scheduled;
    if (request === null || this.isBusy) return;
    this.#scheduled = null;
    this.#parts.facts[SAVE_SCHEDULED] = 0;
    this.save(request);
  }

  /** The cut of the new file, or why there is none. */
  async #save(
    request: SaveRequest,
    onCut: () => void,
  ): Promise<SnapshotCut | string> {
    const { taker, disk, facts, unique } = this.#parts;
    const number = facts[SAVES]!;
    let file: SnapshotFile | null = null;
    let taken: SnapshotCut | null = null;
    facts[SAVING_KEYS] = facts[SAVING_KEYS_DONE] = facts[SAVING_PEAK_BYTES] = 0;
    try {
      file = new SnapshotFile(
        disk,
        request.folder,
        request.name,
        `${unique}-${number}`,
      );
      await taker.take(request, file, (cut) => {
        taken = cut;
        facts[SAVING_KEYS] = cut.keys;
        onCut();
      });
      await file.commit();
      return taken!;
    } catch (cause) {
      file?.discard();
      return cause instanceof Error ? cause.message : String(cause);
    }
  }
}
