/**
 * Thousands who wait: whole databases that change for them, and long queues, of
 * which a worker goes through a part at a time while others act.
 */
import { assert, assertEquals } from "@std/assert";
import { seeded } from "../../../_harness.ts";
import { type Client, Workers } from "./_workers.ts";

const KEYS = 12;
const DATABASES = 3;

function got(key: string, element: string): string {
  return `*2\r\n$${key.length}\r\n${key}\r\n$${element.length}\r\n` +
    `${element}\r\n`;
}

/** The entry that a client was given, or null. */
function entryOf({ reply }: Client): string | null {
  return /\$\d+\r\n(\d+-\d+)/.exec(reply ?? "")?.[1] ?? null;
}

async function leaveAll(
  workers: Workers,
  clients: readonly Client[],
): Promise<void> {
  for (const client of clients) if (client.reply === null) client.leave();
  await workers.settle();
  workers.client(0).run("FLUSHALL");
}

Deno.test("databases that are emptied end what consumers wait for", async () => {
  for (const flush of ["FLUSHALL", "FLUSHDB", "MULTI FLUSHALL EXEC"]) {
    const workers = new Workers(3);
    const other = workers.client(1);
    const clients: Client[] = [];
    for (let i = 0; i < 400; i++) {
      other.run(`XGROUP CREATE s${i % 300} g $ MKSTREAM`);
      const [consumer, reader, popper] = [0, 1, 2].map((n) =>
        workers.client((i + n) % 3)
      );
      consumer!.run(`XREADGROUP GROUP g c BLOCK 0 STREAMS s${i % 300} >`);
      reader!.run(`XREAD BLOCK 0 STREAMS s${i % 300} $`);
      popper!.run(`BLPOP s${i + 1000} 0`);
      clients.push(consumer!, reader!, popper!);
    }
    // Who waits in another database is not asked.
    const away = workers.client(0);
    away.run("SELECT 1");
    away.run("XGROUP CREATE s0 g $ MKSTREAM");
    const inAway = workers.client(1);
    inAway.run("SELECT 1");
    inAway.run("XREADGROUP GROUP g c BLOCK 0 STREAMS s0 >");
    for (const command of flush.split(" ")) other.run(command);
    const ended = workers.messages.map(({ session }) => session);
    assertEquals(new Set(ended).size, ended.length, "each once");
    await workers.deliverAll();
    for (const [i, { reply }] of clients.entries()) {
      if (i % 3 === 0) assert(reply?.startsWith("-NOGROUP"), `${i}: ${reply}`);
      else assertEquals(reply, null);
    }
    assertEquals(
      inAway.reply?.startsWith("-NOGROUP") ?? false,
      /ALL/.test(flush),
    );
    await leaveAll(workers, [...clients, inAway]);
    workers.expectNobody();
  }
});

seeded(
  "emptied and exchanged databases serve as a model does",
  async (random) => {
    const workers = new Workers(3);
    /** By database and key: elements, and who waits for one, in order. */
    const lists = new Map<string, string[]>();
    const queues = new Map<string, Client[]>();
    const clients: Client[] = [];
    const expected = new Map<Client, string>();
    let elements = 0;
    const listOf = (db: number, key: string) => lists.get(`${db} ${key}`) ?? [];
    const serve = () => {
      for (const [name, queue] of queues) {
        const list = lists.get(name) ?? [];
        while (queue.length > 0 && list.length > 0) {
          const key = name.split(" ")[1]!;
          expected.set(queue.shift()!, got(key, list.shift()!));
        }
      }
    };
    const empty = (db: number) => {
      for (const name of [...lists.keys()]) {
        if (name.startsWith(`${db} `)) lists.delete(name);
      }
    };
    const changes: readonly (() => string)[] = [
      () => {
        const [db, key] = [random.below(DATABASES), `k${random.below(KEYS)}`];
        const pushed = Array.from(
          { length: 1 + random.below(6) },
          () => `e${elements++}`,
        );
        lists.set(`${db} ${key}`, [...listOf(db, key), ...pushed]);
        return `SELECT ${db};RPUSH ${key} ${pushed.join(" ")}`;
      },
      () => {
        const [a, b] = [random.below(DATABASES), random.below(DATABASES)];
        const moved = new Map<string, string[]>();
        for (const [name, list] of lists) {
          const [db, key] = name.split(" ");
          const to = Number(db) === a ? b : Number(db) === b ? a : db;
          moved.set(`${to} ${key}`, list);
        }
        lists.clear();
        for (const [name, list] of moved) {
          lists.set(name, list);
        }
        return `SWAPDB ${a} ${b}`;
      },
      () => {
        const db = random.below(DATABASES);
        empty(db);
        return `SELECT ${db};FLUSHDB`;
      },
      () => {
        for (let db = 0; db < DATABASES; db++) empty(db);
        return "FLUSHALL";
      },
    ];
    const change = () => changes[[0, 0, 0, 0, 1, 1, 2, 3][random.below(8)]!]!();
    for (let step = 0; step < 300; step++) {
      const worker = random.below(3);
      if (random.chance(0.6)) {
        const client = workers.client(worker);
        const [db, key] = [random.below(DATABASES), `k${random.below(KEYS)}`];
        client.run(`SELECT ${db}`);
        client.run(`BLPOP ${key} 0`);
        clients.push(client);
        const name = `${db} ${key}`;
        queues.set(name, [...queues.get(name) ?? [], client]);
      } else if (random.chance(0.1) && clients.length > 0) {
        const client = random.pick(clients);
        if (client.reply === null) {
          client.leave();
          for (const [name, queue] of queues) {
            queues.set(name, queue.filter((other) => other !== client));
          }
        }
      } else {
        const client = workers.client(worker);
        const isExec = random.chance(0.3);
        const count = isExec ? 1 + random.below(4) : 1;
        if (isExec) client.run("MULTI");
        for (let i = 0; i < count; i++) {
          for (const line of change().split(";")) client.run(line);
        }
        if (isExec) client.run("EXEC");
      }
      serve();
      await workers.deliverAll();
      for (const client of clients) {
        if (client.isGone) continue;
        assertEquals(client.reply, expected.get(client) ?? null);
      }
    }
    for (const client of clients) if (client.reply === null) client.leave();
    await workers.settle();
  },
  { count: 4 },
);

Deno.test("a long queue is gone through while others come and go", async () => {
  const workers = new Workers(3);
  const [first, second] = [workers.client(1), workers.client(2)];
  first.run("XGROUP CREATE s g $ MKSTREAM");
  const consumers: Client[] = [];
  const readers: Client[] = [];
  for (let i = 0; i < 3000; i++) {
    const client = workers.client(i % 3);
    if (i % 30 === 29) {
      client.run("XREAD BLOCK 0 STREAMS s $");
      readers.push(client);
    } else {
      client.run("XREADGROUP GROUP g c COUNT 1 BLOCK 0 STREAMS s >");
      consumers.push(client);
    }
  }
  // Whenever the first one rests, another adds an entry, and serves as well.
  let added = 0;
  workers.between = () => {
    if (added === 40) return;
    added++;
    second.run("XADD s 1-* a b");
  };
  first.run("XADD s 1-* a b");
  workers.between = null;
  assertEquals(added, 40);
  const order = workers.messages.map(({ session }) => session);
  assertEquals(new Set(order).size, order.length, "each once");
  await workers.deliverAll();
  // Each entry has gone to one consumer, the first ones in line.
  const entries = consumers.slice(0, 41).map(entryOf);
  assert(!entries.includes(null));
  assertEquals(new Set(entries).size, 41);
  for (const { reply } of consumers.slice(41)) assertEquals(reply, null);
  for (const reader of readers) assert(entryOf(reader) !== null);
  await leaveAll(workers, consumers);
  workers.expectNobody();
});

Deno.test("elements go to those who came first, whoever pushes meanwhile", async () => {
  const workers = new Workers(3);
  const [first, second] = [workers.client(1), workers.client(2)];
  const clients = Array.from({ length: 600 }, (_, i) => workers.client(i % 3));
  for (const client of clients) client.run("BLPOP l k 0");
  let pushed = 0;
  workers.between = () => {
    if (pushed === 100) return;
    second.run(`RPUSH k x${pushed++}`);
  };
  const elements = Array.from({ length: 400 }, (_, i) => `y${i}`);
  first.run(`RPUSH k ${elements.join(" ")}`);
  workers.between = null;
  assert(pushed > 0);
  assertEquals(
    workers.messages.map(({ session }) => session),
    clients.slice(0, 400 + pushed).map(({ session }) => session.id),
  );
  await workers.deliverAll();
  const received = new Set(
    clients.slice(0, 400 + pushed).map(({ reply }) => reply),
  );
  assertEquals(received.size, 400 + pushed);
  for (const { reply } of clients.slice(400 + pushed)) {
    assertEquals(reply, null);
  }
  await leaveAll(workers, clients);
  workers.expectNobody();
});
