/**
 * What must hold for values of every type and encoding: they are copied, moved
 * between shards and databases, read slowly, expired and freed, and the heaps'
 * accounts are right afterwards, to the byte.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { reclaimSlice } from "../../../../src/core/keyspace/reclaim.ts";
import { ExpireCycle } from "../../../../src/core/keyspace/expire_cycle.ts";
import type { Plain } from "../../../_resp_reply.ts";
import { type Random, seeded } from "../../../_harness.ts";
import { contents, type Kind, KINDS, MANY, typeOf } from "../../../_values.ts";
import { Shards } from "../keyspace/_fixture.ts";
import { Commands } from "./_commands.ts";
import {
  expiresAt,
  fieldExpiresAt,
  keysAt,
} from "../../../../src/core/keyspace/shard_control.ts";
import { allocatedBytes } from "../../../../src/core/keyspace/entry_facts.ts";

const commandsFor = (kind: Kind) => kind.make("k", 0).map(([name]) => name!);

/** Those whose commands are all there. */
const KNOWN_KINDS = KINDS.filter((kind) => {
  const commands = new Commands(new Shards({ shards: 1 }));
  return commandsFor(kind).every((name) => commands.has(name.toLowerCase()));
});

/** One name per shard. */
function namesOnShards(shards: Shards): string[] {
  const names: string[] = [];
  for (let i = 0; names.filter(Boolean).length < shards.keyspaces.length; i++) {
    const { shard } = shards.key(`key:${i}`);
    names[shard] ??= `key:${i}`;
  }
  return names;
}

function make(commands: Commands, kind: Kind, key: string, salt = 0): void {
  for (const argv of kind.make(key, salt)) commands.run(...argv);
}

/** All of a value, in an order that does not depend on where it lies. */
function read(commands: Commands, kind: Kind, key: string): string {
  return contents(kind, commands.run(...kind.read(key)));
}

/** Frees what was put aside. */
function reclaim(shards: Shards): void {
  for (const space of shards.keyspaces) while (reclaimSlice(space, 500));
}

/** Checks that all that is allocated belongs to keys or to dictionaries. */
function verifyAccounts(shards: Shards): void {
  reclaim(shards);
  shards.verify();
  for (const space of shards.keyspaces) {
    const { control, dict } = space;
    let bytes = 0;
    for (let db = 0; db < 2 * space.databases; db++) {
      const keys = keysAt(db);
      bytes += dict.tableBytes(control, keys);
      bytes += dict.tableBytes(control, expiresAt(db));
      bytes += dict.tableBytes(control, fieldExpiresAt(db));
      let cursor = 0;
      do {
        cursor = dict.scan(control, keys, cursor, (ref) => {
          bytes += allocatedBytes(space, ref, 0);
        });
      } while (cursor !== 0);
    }
    assertEquals(space.heap.usedBytes, bytes);
  }
}

/** Registers a test for each kind; afterwards nothing must be left. */
function forEachKind(
  name: string,
  body: (commands: Commands, kind: Kind, names: string[]) => void,
): void {
  for (const kind of KNOWN_KINDS) {
    Deno.test(`${kind.name}: ${name}`, () => {
      const shards = new Shards({ shards: 3, databases: 2 });
      const commands = new Commands(shards);
      body(commands, kind, namesOnShards(shards));
      commands.session.db = 0;
      commands.run("FLUSHALL");
      reclaim(shards);
      shards.verifyEmpty();
    });
  }
}

forEachKind(
  "is made in its encoding, and its bytes add up",
  (commands, kind) => {
    make(commands, kind, "k");
    assertEquals(commands.run("OBJECT", "ENCODING", "k"), kind.encoding);
    assertEquals(commands.run("OBJECT", "REFCOUNT", "k"), 1);
    assertEquals(commands.run("TYPE", "k"), typeOf(kind));
    verifyAccounts(commands.shards);
    commands.run(...kind.change("k"));
    verifyAccounts(commands.shards);
  },
);

forEachKind("is found by SCAN of its type", (commands, kind) => {
  make(commands, kind, "k");
  commands.run("SETNX", "other", "string");
  const type = typeOf(kind);
  let cursor = "0";
  const found: Plain[] = [];
  do {
    const reply = commands.run("SCAN", cursor, "TYPE", type) as Plain[];
    cursor = String(reply[0]);
    found.push(...reply[1] as Plain[]);
  } while (cursor !== "0");
  const expected = type === "string" ? ["k", "other"] : ["k"];
  assertEquals(found.sort(), expected);
});

forEachKind(
  "COPY makes it anew on any shard, in any database",
  (commands, kind, names) => {
    const [source, ...others] = names as [string, ...string[]];
    make(commands, kind, source);
    const expected = read(commands, kind, source);
    commands.run("PEXPIRE", source, "5000");
    const targets = [
      ...others.map((name) => [name, "0"]),
      ...names.map((name) => [name, "1"]),
    ];
    for (const [name, db] of targets as [string, string][]) {
      const copy = ["COPY", source, name, "DB", db];
      assertEquals(commands.run(...copy), 1);
      assertEquals(commands.run(...copy), 0);
      assertEquals(commands.run(...copy, "REPLACE"), 1);
    }
    for (const [name, db] of targets as [string, string][]) {
      commands.session.db = Number(db);
      assertEquals(read(commands, kind, name), expected);
      assertEquals(commands.run("OBJECT", "ENCODING", name), kind.encoding);
      assertEquals(commands.run("PTTL", name), 5000);
      commands.run(...kind.change(name));
      assert(read(commands, kind, name) !== expected);
      commands.session.db = 0;
    }
    verifyAccounts(commands.shards);
    assertEquals(read(commands, kind, source), expected);
    assertEquals(commands.run("DEL", ...names), names.length);
  },
);

forEachKind(
  "RENAME takes it along with its expire and its clock",
  (commands, kind, names) => {
    const { shards } = commands;
    const [first] = names as [string];
    // What only looks leaves the clock alone.
    for (const space of shards.keyspaces) space.noTouch = true;
    make(commands, kind, first);
    const expected = read(commands, kind, first);
    commands.run("PEXPIRE", first, "70000");
    commands.nowMs += 20_000;
    for (const [i, name] of names.entries()) {
      const next = names[(i + 1) % names.length]!;
      commands.run("SETNX", next, "is replaced");
      assertEquals(commands.run("RENAMENX", name, next), 0);
      assertEquals(commands.run("OBJECT", "IDLETIME", name), 20);
      assertEquals(commands.run("RENAME", name, next), "OK");
      assertEquals(commands.run("EXISTS", name), 0);
      assertEquals(commands.run("PTTL", next), 50_000);
      assertEquals(commands.run("OBJECT", "ENCODING", next), kind.encoding);
      verifyAccounts(shards);
    }
    assertEquals(commands.run("RENAMENX", first, "free"), 1);
    assertEquals(read(commands, kind, "free"), expected);
    commands.run(...kind.change("free"));
    assert(read(commands, kind, "free") !== expected);
  },
);

forEachKind("MOVE takes it along with its expire", (commands, kind) => {
  make(commands, kind, "k");
  const expected = read(commands, kind, "k");
  commands.run("PEXPIRE", "k", "5000");
  assertEquals(commands.run("MOVE", "k", "1"), 1);
  assertEquals(commands.run("EXISTS", "k"), 0);
  make(commands, kind, "k", 3);
  assertEquals(commands.run("MOVE", "k", "1"), 0);
  commands.session.db = 1;
  assertEquals(read(commands, kind, "k"), expected);
  assertEquals(commands.run("PTTL", "k"), 5000);
  verifyAccounts(commands.shards);
});

forEachKind(
  "its time comes while it is used, and while it is not",
  (commands, kind, names) => {
    const { shards } = commands;
    for (const name of names) {
      make(commands, kind, name);
      commands.run("PEXPIRE", name, "1000");
    }
    commands.nowMs += 1000;
    const missing = commands.run(...kind.read(names[0]!));
    assert(missing === null || Array.isArray(missing) && missing.length === 0);
    assertEquals(commands.run("UNLINK", names[1]!), 0);
    const cycle = new ExpireCycle(shards.counters);
    for (let i = 0; i < 20; i++) {
      cycle.run(
        shards.keyspaces,
        commands.nowMs,
        1000,
        shards.monotonicMs,
        shards.latches,
      );
    }
    assertEquals(shards.count(), 0);
    reclaim(shards);
    shards.verifyEmpty();
  },
);

forEachKind("is replaced by a string, and replaces one", (commands, kind) => {
  make(commands, kind, "k");
  commands.run("SET", "k", "text");
  assertEquals(commands.run("TYPE", "k"), "string");
  commands.run("SET", "other", "text");
  commands.run("DEL", "k");
  make(commands, kind, "k");
  commands.run("COPY", "k", "other", "REPLACE");
  assertEquals(read(commands, kind, "other"), read(commands, kind, "k"));
  assertEquals(commands.run("UNLINK", "k", "other", "none"), 2);
  assertEquals(commands.run("DEL", "k", "other"), 0);
});

/** What may happen to a value while somebody still reads it. */
const MEANWHILE: readonly (readonly [
  string,
  (commands: Commands, kind: Kind, key: string, other: string) => void,
])[] = [
  ["nothing happens", () => {}],
  ["it is deleted", (commands, _, key) => commands.run("DEL", key)],
  ["it is changed", (commands, kind, key) => {
    commands.run(...kind.change(key));
  }],
  ["it is replaced", (commands, _, key) => commands.run("SET", key, "text")],
  ["it is renamed", (commands, _, key) => commands.run("RENAME", key, "free")],
  ["it is renamed to another shard", (commands, _, key, other) => {
    commands.run("RENAME", key, other);
  }],
  ["it is moved and changed", (commands, kind, key) => {
    commands.run("MOVE", key, "1");
    commands.session.db = 1;
    commands.run(...kind.change(key));
    commands.session.db = 0;
  }],
  ["it is copied over itself from elsewhere", (commands, kind, key, other) => {
    make(commands, kind, other, 3);
    commands.run("COPY", other, key, "REPLACE");
  }],
  ["all is flushed", (commands) => {
    commands.run("FLUSHALL");
    reclaim(commands.shards);
  }],
  ["it expires", (commands, _, key) => {
    commands.run("PEXPIRE", key, "1");
    commands.nowMs += 5;
    commands.run("EXISTS", key);
  }],
];

for (const kind of KNOWN_KINDS) {
  // Only collections of many elements are read slowly.
  const isLarge = kind.name === `stream of ${MANY}` ||
    ["quicklist", "hashtable", "skiplist"].includes(kind.encoding);
  if (!isLarge) continue;
  for (const [name, happens] of MEANWHILE) {
    Deno.test(`${kind.name}: a slow reader sees all of it while ${name}`, () => {
      const shards = new Shards({ shards: 3, databases: 2 });
      const commands = new Commands(shards);
      const [key, other] = namesOnShards(shards) as [string, string];
      make(commands, kind, key);
      const expected = read(commands, kind, key);
      const first = commands.begin(...kind.read(key));
      const second = commands.begin(...kind.read(key));
      const dropped = commands.begin(...kind.read(key));
      happens(commands, kind, key, other);
      dropped.drop();
      assertEquals(contents(kind, first.take()), expected);
      shards.verify();
      assertEquals(contents(kind, second.take()), expected);
      commands.run("FLUSHALL");
      reclaim(shards);
      shards.verifyEmpty();
    });
  }
}

seeded("values of all types come and go, and leave nothing", (random) => {
  const shards = new Shards({ shards: 3, databases: 2 });
  const commands = new Commands(shards);
  const model = new Map<string, { kind: Kind; contents: string }>();
  const names = Array.from({ length: 12 }, (_, i) => `key:${i}`);
  const here = (name: string) => `${commands.session.db} ${name}`;
  for (let step = 0; step < 400; step++) {
    commands.session.db = random.below(2);
    stepOnce(
      commands,
      random,
      model,
      random.pick(names),
      random.pick(names),
      here,
    );
    if (random.chance(0.02)) reclaim(shards);
  }
  verifyAccounts(shards);
  for (const [place, { kind, contents }] of model) {
    const [db, name] = place.split(" ") as [string, string];
    commands.session.db = Number(db);
    assertEquals(read(commands, kind, name), contents);
  }
  for (const db of [0, 1]) {
    commands.session.db = db;
    commands.run("DEL", ...names);
  }
  reclaim(shards);
  shards.verifyEmpty();
});

function stepOnce(
  commands: Commands,
  random: Random,
  model: Map<string, { kind: Kind; contents: string }>,
  name: string,
  other: string,
  here: (name: string) => string,
): void {
  const known = model.get(here(name));
  const elsewhere = `${1 - commands.session.db} ${other}`;
  const action = random.below(100);
  if (action < 35) {
    const kind = random.pick(KNOWN_KINDS);
    commands.run("DEL", name);
    make(commands, kind, name, random.below(3));
    model.set(here(name), { kind, contents: read(commands, kind, name) });
  } else if (action < 50) {
    commands.run("UNLINK", name);
    model.delete(here(name));
  } else if (action < 65) {
    commands.run(
      "COPY",
      name,
      other,
      "DB",
      String(1 - commands.session.db),
      "REPLACE",
    );
    if (known !== undefined) model.set(elsewhere, known);
  } else if (action < 80) {
    commands.run("RENAME", name, other);
    if (known === undefined || name === other) return;
    model.delete(here(name));
    model.set(here(other), known);
  } else if (action < 90) {
    const isMoved = commands.run("MOVE", name, String(1 - commands.session.db));
    if (isMoved !== 1) return;
    model.delete(here(name));
    model.set(`${1 - commands.session.db} ${name}`, known!);
  } else if (action < 99) {
    if (known === undefined) return;
    commands.run(...known.kind.change(name));
    const contents = read(commands, known.kind, name);
    model.set(here(name), { kind: known.kind, contents });
  } else {
    commands.run("FLUSHDB");
    for (const place of [...model.keys()]) {
      if (place.startsWith(`${commands.session.db} `)) model.delete(place);
    }
  }
}
