/**
 * Long names of keys, compared with those of the entries that may have them, and of
 * notes about such keys, before a command has its latches, as long members are
 * (compared_arguments.ts). Where there is no such entry and the command may make one,
 * the run that it will lie in is made as well, with the name in it
 * (../keyspace/long_names.ts).
 *
 * An entry, or a run, is kept meanwhile, and nothing changes in the name. What is
 * found to be another name is compared anew when it is looked for: no two names are
 * likely to have one hash.
 *
 * @module
 */

import { equalLong } from "../base/bytes.ts";
import { Key } from "../keyspace/key.ts";
import { noteName, prepareName, runOf } from "../keyspace/long_names.ts";
import { visitNotedNames } from "../keyspace/noted_names.ts";
import type { ExternalStrings } from "../memory/external.ts";
import { KNOWN_KEYS, type KnownKey } from "../memory/known_keys.ts";
import type { Call } from "./call.ts";
import { knownKey } from "./compared_arguments.ts";
import { KeptNodes } from "./kept_nodes.ts";

/** Where a name stands among the arguments. */
export interface NamedKey {
  readonly at: number;
  /** Whether the command may make the key. */
  readonly mayBeMade: boolean;
}

/** A name that was compared, and where it lies. */
interface ComparedName {
  readonly buf: Uint8Array;
  readonly off: number;
  readonly length: number;
  readonly known: KnownKey;
}

/** A name for which a run was made. */
interface PreparedName {
  readonly known: KnownKey;
  readonly externals: ExternalStrings;
}

/** An entry, or a note, that may have a name. */
interface FoundName {
  readonly db: number;
  /** Where its own begins. */
  readonly off: number;
  readonly run: number;
}

/**
 * Compares those of a command's names that are long, also in another database, if it
 * has one to which it copies or moves; null if there are none. No latch is held.
 */
export function compareNames(
  call: Call,
  given: Iterable<NamedKey>,
  otherDb: number,
): ComparedNames | null {
  const { args, db, nowMs, settings: { databases } } = call;
  // Nobody waits while records are replayed.
  if (nowMs === 0) return null;
  const target = otherDb >= 0 && otherDb < databases ? otherDb : db;
  let names: ComparedNames | null = null;
  for (const { at, mayBeMade } of given) {
    if (args.bigAt(at) === 0) continue;
    names ??= new ComparedNames();
    names.compare(call, at, target, mayBeMade);
  }
  return names;
}

/** The long names of a command's keys. */
export class ComparedNames {
  readonly #names: ComparedName[] = [];
  readonly #byHash = new Map<number, ComparedName>();
  readonly #kept = new KeptNodes();
  /** Names that have no entry in the database in which keys may be made. */
  readonly #absent = new Set<KnownKey>();
  /** Names for which runs were made. */
  readonly #prepared: PreparedName[] = [];

  /**
   * Compares the name that is argument `i`; the command makes it in the database
   * `target`, if it may do so.
   */
  compare(call: Call, i: number, target: number, mayBeMade: boolean): void {
    const { args } = call;
    const key = new Key();
    call.fillKey(key, args.source(i), args.off[i]!, args.length[i]!);
    const { buf, off, length } = key;
    const known = this.#find(key) ??
      KNOWN_KEYS.alike(key.hash, buf, off, length) ??
      this.#look(call, new Set([call.db, target]), key, target);
    this.#add({ buf, off, length, known });
    const { heap } = call.keyspace(key);
    // A name never changes, so it may be replied from where it lies.
    heap.setSteady(args.bigAt(i));
    if (mayBeMade && known.run === 0 && this.#absent.has(known)) {
      this.#prepare(call, { buf, off, length, known });
    }
  }

  /** Makes runs for all names, whether they have entries or not. */
  prepareAll(call: Call): void {
    for (const name of this.#byHash.values()) {
      if (name.known.run === 0) this.#prepare(call, name);
    }
  }

  /** Compares the name of a key. */
  compareKey(call: Call, db: number, key: Key): void {
    const { buf, off, length } = key;
    const known = this.#look(call, [db], key, db);
    this.#add({ buf, off, length, known });
  }

  /** What is known of a name that was given before. */
  #find({ buf, off, length, hash }: Key): KnownKey | undefined {
    const name = this.#byHash.get(hash);
    return name !== undefined && name.length === length &&
        equalLong(name.buf, name.off, buf, off, length)
      ? name.known
      : undefined;
  }

  #look(
    call: Call,
    databases: Iterable<number>,
    key: Key,
    target: number,
  ): KnownKey {
    const { buf, off, length, hash, shard } = key;
    const space = call.keyspace(key);
    const entries: FoundName[] = [];
    const noted: FoundName[] = [];
    const find = (found: FoundName[], db: number, off: number, run: number) => {
      this.#kept.keep(space.heap, run);
      found.push({ db, off, run });
    };
    call.latches.acquire(shard);
    for (const db of databases) {
      space.visitLike(db, key, (ref) => {
        find(entries, db, space.keyOff(ref), runOf(space, ref));
      });
      visitNotedNames(space, db, key, (run, at) => find(noted, db, at, run));
    }
    call.latches.release(shard);
    const known = knownKey(hash);
    this.#absent.add(known);
    for (const { db, off: at, run } of entries) {
      if (!equalLong(space.bytes(run), at, buf, off, length)) continue;
      noteName(known, run);
      if (db === target) this.#absent.delete(known);
    }
    for (const { off: at, run } of noted) {
      if (known.nodes.has(run)) continue;
      if (!equalLong(space.bytes(run), at, buf, off, length)) continue;
      known.nodes.set(run, true);
    }
    return known;
  }

  #prepare(call: Call, name: ComparedName): void {
    const { externals, heap } = call.keyspaces[0]!;
    const { known } = name;
    const run = prepareName(externals, name);
    if (run === 0) return;
    known.run = run;
    this.#prepared.push({ known, externals });
    // It is known until the end, even if the key has gone by then.
    this.#kept.keep(heap, run);
  }

  /** A name that may have been compared lies in a key, too. */
  addCopy(from: Key, { buf, off, length }: Key): void {
    const name = this.#names.find((each) =>
      each.off === from.off && each.buf === from.buf
    );
    if (name !== undefined) this.#add({ buf, off, length, known: name.known });
  }

  /** What was found out is known again, in a slice of the command. */
  resume(): void {
    for (const { buf, off, length, known } of this.#names) {
      KNOWN_KEYS.add(buf, off, length, known);
    }
  }

  /** The command has run, or will not. */
  drop(): void {
    for (const { known, externals } of this.#prepared) {
      if (known.run !== 0) externals.unpin(known.run);
      known.run = 0;
    }
    this.#prepared.length = 0;
    this.#kept.drop();
  }

  #add(name: ComparedName): void {
    this.#names.push(name);
    this.#byHash.set(name.known.hash, name);
    KNOWN_KEYS.add(name.buf, name.off, name.length, name.known);
  }
}
