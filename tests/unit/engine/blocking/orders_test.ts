/**
 * What a waiting command comes to, in every order in which the things can happen
 * that end it. The numbers are those of the invariants of blocking commands.
 */
import { assert, assertEquals } from "@std/assert";
import { type Client, Workers } from "./_workers.ts";

type Step = "push" | "deliver" | "timeout" | "unblock" | "leave";

const STEPS: readonly Step[] = [
  ...["push", "deliver", "timeout", "unblock", "leave"] as const,
];
const GOT = "*2\r\n$1\r\nk\r\n$1\r\nx\r\n";
const NULL = "*-1\r\n";

function orders(steps: readonly Step[]): Step[][] {
  if (steps.length === 0) return [[]];
  return steps.flatMap((first) =>
    orders(steps.filter((step) => step !== first))
      .map((rest) => [first, ...rest])
  );
}

/** A client of worker 0 waits for keys of two shards; worker 1 pushes. */
async function play(
  steps: readonly Step[],
  settles: boolean,
): Promise<{ client: Client; left: string }> {
  const workers = new Workers(2);
  const client = workers.client(0);
  const pusher = workers.client(1);
  client.run("BLPOP l k 1");
  for (const step of steps) {
    if (step === "push") {
      pusher.run("RPUSH k x");
      assertEquals(pusher.reply, ":1\r\n");
    } else if (step === "deliver") workers.deliver();
    else if (step === "timeout") workers.sleep(1001);
    else if (step === "leave") client.leave();
    else client.worker.blocked.unblock(client.session.id, true);
    if (settles) await workers.settle();
  }
  workers.deliver();
  await workers.settle();
  pusher.run("LRANGE k 0 -1");
  const left = pusher.reply!;
  // Nothing may have happened to it yet.
  if (client.reply === null) client.leave();
  await workers.settle();
  workers.expectNobody();
  return { client, left };
}

for (const settles of [true, false]) {
  const name = `11: whatever comes first, an element is received or left (${
    settles ? "turn by turn" : "in one turn"
  })`;
  Deno.test(name, async () => {
    const ends = new Set<string>();
    for (let n = 1; n <= STEPS.length; n++) {
      for (const steps of orders(STEPS).map((order) => order.slice(0, n))) {
        const { client, left } = await play(steps, settles);
        const isPushed = steps.includes("push");
        const isReceived = client.reply === GOT;
        const isLeft = left === "*1\r\n$1\r\nx\r\n";
        assertEquals(isReceived || isLeft, isPushed, `${steps}`);
        assert(!(isReceived && isLeft), `once: ${steps}`);
        // 7: once it is served, neither time nor UNBLOCK take it back.
        const first = steps.find((step) => step !== "deliver");
        if (first === "push" && !client.isGone) assert(isReceived, `${steps}`);
        if (first === "timeout" && client.reply !== null) {
          assertEquals(client.reply, NULL);
        }
        ends.add(isReceived ? "received" : isLeft ? "left" : "nothing");
        ends.add(client.reply ?? "none");
      }
    }
    assertEquals(ends.size, 7, [...ends].join());
  });
}

Deno.test("27: a thousand waiters, one push, one message", async () => {
  const workers = new Workers(4);
  const clients = Array.from({ length: 1000 }, (_, i) => workers.client(i % 4));
  for (const client of clients) client.run("BLPOP l k 0");
  const pusher = workers.client(3);
  for (let i = 0; i < 3; i++) {
    pusher.run("RPUSH k x");
    assertEquals(workers.messages.length, 1);
    assertEquals(workers.messages[0]!.session, clients[i]!.session.id);
    workers.deliver();
  }
  // 15: as many are served as elements came, in their order.
  pusher.run("RPUSH k x x x");
  assertEquals(
    workers.messages.map(({ session }) => session),
    clients.slice(3, 6).map(({ session }) => session.id),
  );
  for (let i = 0; i < 3; i++) workers.deliver();
  await workers.settle();
  for (const client of clients.slice(0, 6)) assertEquals(client.reply, GOT);
  for (const client of clients.slice(6)) {
    assertEquals(client.reply, null);
    client.leave();
  }
  await workers.settle();
  workers.expectNobody();
});

Deno.test("24: steps of the wall clock move no deadline", async () => {
  const workers = new Workers(2);
  const [first, second] = [workers.client(0), workers.client(1)];
  first!.run("BLPOP k 0.25");
  workers.wallMs -= 86_400_000;
  second!.run("BLPOP k 0.25");
  workers.wallMs += 2 * 86_400_000;
  workers.sleep(249);
  workers.client(0).run("PING");
  await workers.settle();
  assertEquals([first!.reply, second!.reply], [null, null]);
  workers.sleep(1);
  await workers.settle();
  assertEquals([first!.reply, second!.reply], [NULL, NULL]);
  workers.expectNobody();
});

Deno.test("24: the longest timeouts wait in steps that timers can take", async () => {
  const workers = new Workers(1);
  const client = workers.client(0);
  client.run("BLPOP k 4000000");
  const step = 2 ** 31 - 1;
  assertEquals(workers.nextTimerMs, step);
  workers.sleep(step);
  await workers.settle();
  assertEquals(client.reply, null);
  assertEquals(workers.nextTimerMs, 4_000_000_000);
  workers.sleep(4_000_000_000 - step);
  await workers.settle();
  assertEquals(client.reply, NULL);
  workers.expectNobody();
});

Deno.test("22: one who leaves while others' EXEC serves it loses nothing", async () => {
  const workers = new Workers(3);
  const [gone, next] = [workers.client(0), workers.client(1)];
  gone!.run("BLMPOP 0 2 l k LEFT COUNT 2");
  next!.run("BLPOP k 0");
  const pusher = workers.client(2);
  for (const line of ["MULTI", "RPUSH k a b", "LPUSH k x", "EXEC"]) {
    pusher.run(line);
  }
  gone!.leave();
  await workers.settle();
  while (workers.messages.length > 0) {
    workers.deliver();
    await workers.settle();
  }
  // The first has got x and a; the second b; x and a came back.
  assertEquals(next!.reply, "*2\r\n$1\r\nk\r\n$1\r\nb\r\n");
  pusher.run("LRANGE k 0 -1");
  assertEquals(pusher.reply, "*2\r\n$1\r\nx\r\n$1\r\na\r\n");
  workers.expectNobody();
});
