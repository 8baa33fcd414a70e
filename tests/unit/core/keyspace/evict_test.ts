import { assert, assertEquals } from "@std/assert";
import { EVICTED_KEYS } from "../../../../src/core/keyspace/counters.ts";
import {
  evictionLimitMs,
  type EvictionSettings,
  Evictor,
  isLfuPolicy,
} from "../../../../src/core/keyspace/evict.ts";
import { detachDatabase } from "../../../../src/core/keyspace/reclaim.ts";
import { MAXMEMORY_POLICY } from "../../../../src/core/settings/settings_table.ts";
import { Shards } from "./_fixture.ts";

type PolicyName = keyof typeof MAXMEMORY_POLICY;
type Writable<T> = { -readonly [P in keyof T]: T[P] };

function evictorOf(
  shards: Shards,
  policy: PolicyName,
): { evictor: Evictor; settings: Writable<EvictionSettings> } {
  const settings = {
    maxmemory: 0,
    maxmemoryPolicy: MAXMEMORY_POLICY[policy],
    maxmemorySamples: 5,
    maxmemoryEvictionTenacity: 100,
  };
  shards.clock.isLfu = isLfuPolicy(settings.maxmemoryPolicy);
  const { keyspaces, latches, counters, clock, random, pages } = shards;
  const { pageCount, monotonicMs } = shards;
  const parts = { keyspaces, latches, settings, counters, clock, random };
  const evictor = new Evictor({ ...parts, pages, pageCount, monotonicMs });
  return { evictor, settings };
}

const SECOND = 1000;
const COUNT = 4000;

/** Keys 0 to COUNT - 1, of which the older half is used no more. */
function fillOldAndNew(shards: Shards): void {
  for (let i = 0; i < COUNT; i++) {
    shards.clock.tell(1_000_000 + i * SECOND);
    shards.set(`key:${i}`, "x".repeat(40), 10_000_000 + i, i % 2);
  }
}

function leftOf(shards: Shards, from: number, to: number): number {
  let left = 0;
  for (let i = from; i < to; i++) {
    if (shards.get(`key:${i}`, i % 2) !== null) left++;
  }
  return left;
}

Deno.test("Evictor without a limit allows everything", () => {
  const shards = new Shards();
  const { evictor } = evictorOf(shards, "ALLKEYS_LRU");
  fillOldAndNew(shards);
  assert(evictor.makeRoom());
  assertEquals(shards.counters[EVICTED_KEYS], 0);
});

Deno.test("Evictor refuses under noeviction, and when no key may go", () => {
  for (
    const policy of ["NOEVICTION", "VOLATILE_LRU", "VOLATILE_RANDOM"] as const
  ) {
    const shards = new Shards();
    const { evictor, settings } = evictorOf(shards, policy);
    for (let i = 0; i < 100; i++) shards.set(`key:${i}`, "v");
    settings.maxmemory = shards.usedBytes - 1;
    assert(!evictor.makeRoom());
    assertEquals(shards.count(), 100);
    settings.maxmemory = shards.usedBytes;
    assert(evictor.makeRoom());
  }
});

const POLICIES: PolicyName[] = [
  ...["ALLKEYS_LRU", "ALLKEYS_LFU", "ALLKEYS_RANDOM"] as const,
  ...["VOLATILE_LRU", "VOLATILE_LFU", "VOLATILE_RANDOM"] as const,
  "VOLATILE_TTL",
];

for (const policy of POLICIES) {
  Deno.test(`Evictor goes below the limit: ${policy}`, () => {
    const shards = new Shards();
    const { evictor, settings } = evictorOf(shards, policy);
    fillOldAndNew(shards);
    for (let i = 0; i < 500; i++) shards.set(`never:${i}`, "v");
    settings.maxmemory = shards.usedBytes >> 1;
    assert(evictor.makeRoom());
    assert(shards.usedBytes <= settings.maxmemory);
    const total = shards.count(0) + shards.count(1);
    assertEquals(shards.counters[EVICTED_KEYS], COUNT + 500 - total);
    if (policy.startsWith("VOLATILE")) {
      for (let i = 0; i < 500; i++) assert(shards.get(`never:${i}`) !== null);
    }
    shards.verify();
  });
}

for (const policy of ["ALLKEYS_LRU", "VOLATILE_TTL"] as const) {
  Deno.test(`Evictor keeps the right half, nearly: ${policy}`, () => {
    const shards = new Shards();
    const { evictor, settings } = evictorOf(shards, policy);
    fillOldAndNew(shards);
    settings.maxmemory = Math.floor(shards.usedBytes * 0.7);
    assert(evictor.makeRoom());
    const old = leftOf(shards, 0, COUNT / 2);
    const recent = leftOf(shards, COUNT / 2, COUNT);
    assert(recent > COUNT / 2 * 0.97, `${recent} recent ones left`);
    assert(old < COUNT / 2 * 0.6, `${old} old ones left`);
  });
}

Deno.test("Evictor keeps what is used often: ALLKEYS_LFU", () => {
  const shards = new Shards();
  const { evictor, settings } = evictorOf(shards, "ALLKEYS_LFU");
  for (let i = 0; i < COUNT; i++) shards.set(`key:${i}`, "v", 0, i % 2);
  for (let i = 0; i < COUNT / 4; i++) {
    const key = shards.key(`key:${i}`);
    for (let use = 0; use < 50; use++) {
      shards.space(key).lookupRead(i % 2, key, 0);
    }
  }
  settings.maxmemory = shards.usedBytes >> 1;
  assert(evictor.makeRoom());
  const often = leftOf(shards, 0, COUNT / 4);
  assert(often > COUNT / 4 * 0.95, `${often} often used ones left`);
});

Deno.test("Evictor frees what a flush left behind before it evicts", () => {
  const shards = new Shards({ shards: 1 });
  const { evictor, settings } = evictorOf(shards, "NOEVICTION");
  fillOldAndNew(shards);
  detachDatabase(shards.keyspaces[0]!, 0);
  settings.maxmemory = Math.floor(shards.usedBytes * 0.6);
  assert(evictor.makeRoom());
  assertEquals(shards.count(1), COUNT / 2);
  settings.maxmemory = 1000;
  assert(!evictor.makeRoom());
});

Deno.test("Evictor stops in time and lets the command through", () => {
  const shards = new Shards();
  const { evictor, settings } = evictorOf(shards, "ALLKEYS_RANDOM");
  fillOldAndNew(shards);
  settings.maxmemoryEvictionTenacity = 10;
  settings.maxmemory = 1000;
  assert(evictor.makeRoom());
  assert(shards.usedBytes > settings.maxmemory);
  assert(evictor.isOverLimit());
});

Deno.test("Evictor keeps pages for tables and slabs", () => {
  const shards = new Shards({ arenaBytes: 4 << 20 });
  const { evictor, settings } = evictorOf(shards, "NOEVICTION");
  let count = 0;
  while (evictor.makeRoom()) shards.set(`key:${count++}`, "x".repeat(100));
  const freePages = shards.pageCount - shards.pages.usedPages;
  assert(freePages < 64 && freePages > 40, `${freePages} pages free`);
  settings.maxmemoryPolicy = MAXMEMORY_POLICY.ALLKEYS_RANDOM;
  let written = 0;
  for (let i = 0; i < 20_000; i++) {
    if (!evictor.makeRoom()) continue;
    shards.set(`more:${i}`, "x".repeat(100));
    written++;
  }
  assert(written > 10_000, `${written} written`);
  assert(shards.count() > count / 10, `${shards.count()} left`);
  shards.verify();
});

Deno.test("evictionLimitMs() follows the tenacity", () => {
  assertEquals(evictionLimitMs(0), 0);
  assertEquals(evictionLimitMs(10), 0.5);
  assert(evictionLimitMs(99) > 100);
  assertEquals(evictionLimitMs(100), Infinity);
});
