/**
 * Going through a locked key while others are served.
 *
 * @module
 */
import { assert, assertEquals, assertRejects } from "@std/assert";
import {
  LockError,
  type LockHandle,
} from "../../../../src/engine/locks/lock_spec.ts";
import { toBinary } from "../../../_resp_reply.ts";
import { argv, bytes, LockWorld } from "./_lock_world.ts";

const K = bytes("k");
const COUNT = 5000;

function numbered(make: (i: number) => string[], count = COUNT): string[] {
  return Array.from({ length: count }, (_, i) => make(i)).flat();
}

const padded = (i: number) => `${i}:${"p".repeat(60)}`;

/** A command that makes the key, what its elements are, and commands on it. */
const VALUES: readonly {
  name: string;
  make: string[];
  elements: string[];
  reads: string;
  write: string;
  inOrder?: true;
}[] = [
  {
    name: "list",
    make: ["RPUSH", "k", ...numbered((i) => [padded(i)])],
    elements: numbered((i) => [padded(i)]),
    reads: "LINDEX k 17",
    write: "LPUSH k new",
    inOrder: true,
  },
  {
    name: "packed list",
    make: ["RPUSH", "k", "a", "1", "bb"],
    elements: ["a", "1", "bb"],
    reads: "LLEN k",
    write: "LPOP k",
    inOrder: true,
  },
  {
    name: "set",
    make: ["SADD", "k", ...numbered((i) => [padded(i)])],
    elements: numbered((i) => [padded(i)]),
    reads: "SISMEMBER k x",
    write: "SADD k new",
  },
  {
    name: "set of integers",
    make: ["SADD", "k", "3", "-1", "70000"],
    elements: ["-1", "3", "70000"],
    reads: "SCARD k",
    write: "SREM k 3",
    inOrder: true,
  },
  {
    name: "sorted set",
    make: ["ZADD", "k", ...numbered((i) => [`${i}.5`, `m${i}`])],
    elements: numbered((i) => [`m${i} ${i}.5`]),
    reads: "ZSCORE k m1",
    write: "ZADD k 1 new",
    inOrder: true,
  },
  {
    name: "hash",
    make: ["HSET", "k", ...numbered((i) => [`f${i}`, `v${i}`])],
    elements: numbered((i) => [`f${i} v${i}`]),
    reads: "HGET k f9",
    write: "HSET k f9 new",
  },
  {
    name: "packed hash",
    make: ["HSET", "k", "f", "1", "g", "2"],
    elements: ["f 1", "g 2"],
    reads: "HLEN k",
    write: "HDEL k f",
    inOrder: true,
  },
];

for (const { name, make, elements, reads, write, inOrder } of VALUES) {
  Deno.test(`KT38: each element of a ${name} comes once`, async () => {
    const room = new LockWorld();
    const { world, manager } = room;
    world.run(world.session(), make);
    const handle = manager.tryLockKeys({ read: [K] })!;
    const writer = room.send(write);
    let rests = 0;
    room.onRest = () => {
      rests++;
      // Nothing of this rearranges the value.
      assert(room.send(reads).reply !== "");
      room.send("SADD other x");
      world.runExpireCycle();
    };
    const found: string[] = [];
    for await (const batch of handle.iterate(K, { batch: 100 })) {
      assert(batch.length > 0 && batch.length < 200, `${batch.length} at once`);
      for (const element of batch) found.push(element.map(toBinary).join(" "));
    }
    assertEquals(
      inOrder ? found : found.sort(),
      inOrder ? elements : [...elements].sort(),
    );
    assert(rests >= elements.length / 200);
    assertEquals(writer.reply, "");
    handle.close();
    await room.settle();
    assert(writer.reply !== "");
    room.expectNothing();
  });
}

Deno.test("entries of a stream, pieces of a string, and nothing", async () => {
  const room = new LockWorld();
  const { world, manager } = room;
  const session = world.session();
  world.run(session, ["XADD", "k", "1-1", "f", "v", "g", "2"]);
  world.run(session, ["XADD", "k", "1-2", "f", "w", "g", "3"]);
  world.run(session, ["XADD", "k", "2-0", "h", "x"]);
  world.run(session, ["XDEL", "k", "1-2"]);
  const text = "0123456789".repeat(15_000);
  world.run(session, ["SET", "text", text]);
  const keys = { read: [K, bytes("text"), bytes("none")] };
  const handle = manager.tryLockKeys(keys)!;
  const found: string[][] = [];
  for await (const batch of handle.iterate(K)) {
    found.push(...batch.map((element) => element.map(toBinary)));
  }
  assertEquals(found, [["1-1", "f", "v", "g", "2"], ["2-0", "h", "x"]]);
  const pieces: string[] = [];
  for await (const batch of handle.iterate(bytes("text"))) {
    assertEquals(batch.length, 1);
    pieces.push(toBinary(batch[0]![0]!));
  }
  assertEquals([pieces.length, pieces.join("")], [3, text]);
  for await (const _ of handle.iterate(bytes("none"))) {
    assert(false, "there is nothing");
  }
  handle.close();
  room.expectNothing();
});

Deno.test("a walk ends with its lock, and with a commit", async () => {
  const room = new LockWorld();
  const { world, manager } = room;
  world.run(world.session(), ["SADD", "k", ...numbered((i) => [padded(i)])]);
  const walk = async (during: (handle: LockHandle) => void) => {
    using handle = manager.tryLockKeys({ write: [K] })!;
    handle.stage(argv("SADD k new"));
    for await (const batch of handle.iterate(K)) {
      assert(batch.length > 0);
      during(handle);
    }
  };
  const ends: [string, (handle: LockHandle) => void][] = [
    ["CLOSED", (handle) => handle.close()],
    ["ABORTED", (handle) => handle.abort("no more")],
    ["NOTLOCKED", (handle) => handle.release(K)],
    ["CHANGED", (handle) => handle.commit()],
  ];
  for (const [code, during] of ends) {
    await assertRejects(() => walk(during), LockError, code);
    await room.settle();
  }
  const other = manager.tryLockKeys({ read: [bytes("a")] })!;
  const first = () => other.iterate(K)[Symbol.asyncIterator]().next();
  await assertRejects(first, LockError, "NOTLOCKED");
  other.close();
  room.expectNothing();
});

Deno.test("a function that leaves a walk behind has changed nothing", async () => {
  const room = new LockWorld();
  const { world, manager } = room;
  world.run(world.session(), ["SADD", "k", ...numbered((i) => [padded(i)])]);
  const left: Promise<unknown>[] = [];
  await assertRejects(
    () =>
      manager.withLockedKeys({ write: [K], label: "hasty" }, (handle) => {
        handle.stage(argv("DEL k"));
        // Forgets to wait for it.
        left.push(
          (async () => {
            for await (const _ of handle.iterate(K, { batch: 10 }));
          })().catch((cause: unknown) => cause),
        );
      }),
    LockError,
    "LOCKLEAK",
  );
  assertEquals(room.warnings.length, 1);
  assert(room.warnings[0]!.includes('"hasty"'));
  const [cause] = await Promise.all(left);
  assert(cause instanceof LockError && cause.code === "CLOSED");
  assertEquals(room.send("SCARD k").reply, `:${COUNT}\r\n`);
  // One that stops on purpose is at its end.
  await manager.withLockedKeys({ write: [K] }, async (handle) => {
    for await (const _ of handle.iterate(K, { batch: 10 })) break;
    handle.stage(argv("DEL k"));
  });
  assertEquals(room.send("EXISTS k").reply, ":0\r\n");
  room.expectNothing();
});
