/**
 * What a worker may rely on, of either event loop.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { Bell, makeBells } from "../../../../../src/engine/messages/bell.ts";
import { DenoLoop } from "../../../../../src/front/server/network/deno_loop.ts";
import type { EventLoop } from "../../../../../src/front/server/network/event_loop.ts";
import { PollingLoop } from "../../../../../src/front/server/network/polling_loop.ts";
import type {
  Accepted,
  Socket,
  SocketHandler,
} from "../../../../../src/front/server/network/socket.ts";
import {
  systemCalls,
  wakeWorker,
} from "../../../../../src/front/server/network/system_calls.ts";
import { pause, until } from "../../../../_patience.ts";

const KINDS: Record<string, ((bell: Bell) => EventLoop) | null> = {
  polling: systemCalls && ((bell) => new PollingLoop(bell, systemCalls!)),
  deno: (bell) => new DenoLoop(bell),
};

/** Notes what it is told, and keeps what has come. */
class Recorder implements SocketHandler {
  socket!: Socket;
  readonly room = new Uint8Array(4096);
  readonly got: number[] = [];
  inputs = 0;
  events: string[] = [];
  onEvent = (_name: string) => {};

  inputRoom(): Uint8Array<ArrayBuffer> {
    return this.room;
  }
  onInput(count: number): void {
    this.inputs++;
    this.got.push(...this.room.subarray(0, count));
    this.onEvent("input");
  }
  onEnd(): void {
    this.#note("end");
  }
  onWritten(): void {
    this.#note("written");
  }
  onClose(): void {
    this.#note("close");
  }
  #note(name: string): void {
    this.events.push(name);
    this.onEvent(name);
  }
}

/** A loop, its bell, and a listener whose connections are recorded. */
class Ground implements Disposable {
  readonly bells = makeBells(1);
  readonly loop: EventLoop;
  readonly port: number;
  readonly accepted: Accepted[] = [];
  readonly recorders: Recorder[] = [];
  refuses = false;
  heard = 0;
  readonly #listener: { close(): void };
  #isOver = false;

  constructor(make: (bell: Bell) => EventLoop) {
    this.loop = make(new Bell(this.bells, 0, wakeWorker));
    this.loop.start(() => this.heard++);
    let port = 0;
    this.#listener = this.loop.listen(() => {
      const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
      port = listener.addr.port;
      return listener;
    }, {
      onAccepted: (accepted) => {
        if (this.refuses) return accepted.refuse(new Uint8Array([9, 9]));
        const recorder = new Recorder();
        this.accepted.push(accepted);
        this.recorders.push(recorder);
        accepted.setOptions(300);
        recorder.socket = accepted.open(recorder);
        recorder.socket.start();
      },
      onAcceptFailed: (reason) => {
        throw new Error(reason);
      },
    });
    this.port = port;
    // Clients of the test need Deno's loop, where a polling one waits long.
    const beat = () => {
      if (!this.#isOver) this.loop.later(beat, 1);
    };
    beat();
  }

  connect(): Promise<Deno.TcpConn> {
    return Deno.connect({ hostname: "127.0.0.1", port: this.port });
  }

  /** A client, and what its other end is told. */
  async pair(): Promise<[Deno.TcpConn, Recorder]> {
    const count = this.recorders.length;
    const client = await this.connect();
    await until("it is accepted", () => this.recorders.length > count);
    return [client, this.recorders.at(-1)!];
  }

  closeListener(): void {
    this.#listener.close();
  }

  [Symbol.dispose](): void {
    this.#isOver = true;
    this.closeListener();
    for (const { socket } of this.recorders) socket.close();
    this.loop.end();
  }
}

/** What a client gets until the end. */
async function readAll(client: Deno.Conn): Promise<Uint8Array> {
  return new Uint8Array(await new Response(client.readable).arrayBuffer());
}

function numbers(length: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(length);
  for (let i = 0; i < length; i++) bytes[i] = i * 7 ^ i >> 8;
  return bytes;
}

for (const [kind, make] of Object.entries(KINDS)) {
  const test = (name: string, body: (ground: Ground) => Promise<void>) =>
    Deno.test({
      name: `${kind} loop: ${name}`,
      ignore: make === null,
      // What the loop has under way ends after the test.
      sanitizeOps: false,
      sanitizeResources: false,
      async fn() {
        using ground = new Ground(make!);
        await body(ground);
      },
    });

  test("bytes come and go, and addresses are known", async (ground) => {
    const [client, recorder] = await ground.pair();
    const { remote, local } = ground.accepted[0]!;
    assertEquals(remote, client.localAddr);
    assertEquals(local, client.remoteAddr);
    await client.write(new Uint8Array([1, 2, 3]));
    await until("they are there", () => recorder.got.length === 3);
    assertEquals(recorder.got, [1, 2, 3]);
    recorder.socket.write(new Uint8Array([4, 5, 6, 7]), 2);
    const room = new Uint8Array(10);
    assertEquals(await client.read(room), 2);
    assertEquals([...room.subarray(0, 2)], [4, 5]);
    await until("it is said", () => recorder.events.length > 0);
    assertEquals(recorder.events, ["written"]);
    client.close();
    await until("the end is told", () => recorder.events.includes("end"));
    recorder.socket.close();
    recorder.socket.close();
    assertEquals(recorder.events, ["written", "end", "close"]);
  });

  test("nothing is read while input is paused", async (ground) => {
    const [client, recorder] = await ground.pair();
    recorder.onEvent = () => recorder.socket.pauseInput();
    for (let i = 0; i < 5; i++) {
      await client.write(new Uint8Array([i]));
      await pause(5);
    }
    const { inputs } = recorder;
    assert(inputs >= 1 && inputs <= 2);
    recorder.onEvent = () => {};
    recorder.socket.resumeInput();
    await until("the rest comes", () => recorder.got.length === 5);
    assertEquals(recorder.got, [0, 1, 2, 3, 4]);
    client.close();
  });

  test("a large write leaves as the peer reads", async (ground) => {
    const [client, recorder] = await ground.pair();
    const bytes = numbers(8_000_000);
    recorder.socket.write(bytes, bytes.length);
    await pause(20);
    assertEquals(recorder.events, []);
    assert(recorder.socket.unsentBytes > 0);
    const all = readAll(client);
    await until("it has left", () => recorder.events.length > 0);
    assertEquals(recorder.socket.unsentBytes, 0);
    recorder.socket.sendLast(new Uint8Array([1, 2]), 2);
    if (kind === "deno") await pause(50);
    recorder.socket.close();
    assertEquals(recorder.events, ["written", "close"]);
    const got = await all;
    assertEquals(got.length, bytes.length + 2);
    assert(bytes.every((byte, i) => got[i] === byte));
  });

  test("a peer that resets closes the socket, once", async (ground) => {
    for (const what of ["reads", "writes", "pauses"]) {
      const [client, recorder] = await ground.pair();
      // What it has not read turns its end into a reset.
      recorder.socket.write(numbers(1000), 1000);
      await until("it has left", () => recorder.events.length > 0);
      await pause(20);
      if (what === "pauses") recorder.socket.pauseInput();
      if (what === "writes") {
        const bytes = numbers(8_000_000);
        recorder.socket.write(bytes, bytes.length);
      }
      client.close();
      if (what === "pauses") {
        await pause(20);
        recorder.socket.resumeInput();
      }
      const isOver = () => recorder.events.some((name) => name !== "written");
      await until(`it is told while it ${what}`, isOver);
      recorder.socket.close();
      assertEquals(
        recorder.events.filter((name) => name === "close").length,
        1,
      );
    }
  });

  test("many connect and leave", async (ground) => {
    for (let round = 0; round < 3; round++) {
      const from = ground.recorders.length;
      const clients = await Promise.all(
        Array.from({ length: 70 }, () => ground.connect()),
      );
      await until(
        "all are accepted",
        () => ground.recorders.length === from + 70,
      );
      for (const client of clients) await client.write(new Uint8Array([round]));
      const own = ground.recorders.slice(from);
      await until(
        "all have spoken",
        () => own.every(({ got }) => got[0] === round),
      );
      for (const client of clients) client.close();
      await until(
        "all have left",
        () => own.every(({ events }) => events.includes("end")),
      );
      for (const { socket } of own) socket.close();
    }
  });

  test("who is refused is told why", async (ground) => {
    ground.refuses = true;
    const client = await ground.connect();
    assertEquals([...await readAll(client)], [9, 9]);
    ground.closeListener();
    ground.closeListener();
    await until("nobody listens", async () => {
      try {
        (await ground.connect()).close();
      } catch (cause) {
        return cause instanceof Deno.errors.ConnectionRefused;
      }
      return false;
    });
  });

  test("timers and what is due soon", async ({ loop }) => {
    const ran: string[] = [];
    loop.later(() => ran.push("b"), 30);
    const stop = loop.startTimer(() => ran.push("never"), 10);
    loop.startTimer(() => ran.push("a"), 5);
    loop.soon(() => {
      ran.push("soon");
      loop.soon(() => ran.push("again"));
    });
    stop();
    await until("all have run", () => ran.length === 4);
    assertEquals(ran, ["soon", "again", "a", "b"]);
  });

  test("the bell is heard", async (ground) => {
    const bell = new Bell(ground.bells, 0, wakeWorker);
    await until("it begins", () => ground.heard > 0);
    for (let i = 0; i < 10; i++) {
      const before = ground.heard;
      bell.ring();
      await until("it is heard", () => ground.heard > before);
    }
  });

  Deno.test({
    name: `${kind} loop: the bell is heard from another thread`,
    ignore: make === null,
    sanitizeOps: false,
    sanitizeResources: false,
    async fn() {
      const url = new URL("./_ringer.ts", import.meta.url);
      const ringer = new Worker(url, { type: "module" });
      // It is loaded before the loop keeps this thread to itself.
      await new Promise((resolve) => ringer.onmessage = resolve);
      using ground = new Ground(make!);
      ringer.postMessage(ground.bells);
      await until("100 times", () => ground.heard >= 100);
      ringer.terminate();
    },
  });
}

Deno.test({
  name: "polling loop: listeners of one port, and a unix socket",
  ignore: systemCalls === null,
  sanitizeOps: false,
  sanitizeResources: false,
  async fn() {
    const loop = new PollingLoop(
      new Bell(makeBells(1), 0, wakeWorker),
      systemCalls!,
    );
    loop.start(() => {});
    let isOver = false;
    const beat = () => {
      if (!isOver) loop.later(beat, 1);
    };
    beat();
    const path = `${Deno.makeTempDirSync()}/socket`;
    const accepted: Accepted[] = [];
    const handler = {
      onAccepted: (one: Accepted) => void accepted.push(one),
      onAcceptFailed: () => {},
    };
    const tcp = { hostname: "127.0.0.1", reusePort: true };
    const other = Deno.listen({ ...tcp, port: 0 });
    const { port } = other.addr;
    const listeners = [
      loop.listen(() => Deno.listen({ ...tcp, port }), handler),
      loop.listen(() => Deno.listen({ transport: "unix", path }), handler),
    ];
    other.close();
    const clients = [
      await Deno.connect({ hostname: "127.0.0.1", port }),
      await Deno.connect({ transport: "unix", path }),
    ];
    await until("both are accepted", () => accepted.length === 2);
    const transports = accepted.map(({ remote }) => remote.transport);
    assertEquals(transports.sort(), ["tcp", "unix"]);
    for (const one of accepted) one.refuse(new Uint8Array([1]));
    for (const client of clients) assertEquals([...await readAll(client)], [1]);
    isOver = true;
    for (const listener of listeners) listener.close();
    loop.end();
  },
});
