/**
 * Asks for small keys over a few connections, one question at a time on each,
 * and notes how long each answer took. In a thread of its own, so that what the
 * bench does to the server meanwhile does not delay the clock.
 *
 * @module
 */

/** What to ask for. */
export interface ProbeTask {
  port: number;
  connections: number;
  keys: readonly string[];
}

const encoder = new TextEncoder();
const REPLY_BYTES = 4096;

const latencies: number[] = [];
let isOver = false;
let running: Promise<void[]> = Promise.resolve([]);

self.onmessage = async ({ data }: MessageEvent<ProbeTask | "stop">) => {
  if (data !== "stop") {
    running = Promise.all(
      Array.from({ length: data.connections }, (_, i) => ask(data, i)),
    );
    // Whoever waits for the end hears of an error; until then it is kept.
    running.catch(() => {});
    return;
  }
  isOver = true;
  await running;
  self.postMessage(Float64Array.from(latencies));
};

async function ask({ port, keys }: ProbeTask, first: number): Promise<void> {
  using conn = await Deno.connect({ hostname: "127.0.0.1", port });
  conn.setNoDelay(true);
  const requests = keys.map((key) =>
    encoder.encode(`*2\r\n$3\r\nGET\r\n$${key.length}\r\n${key}\r\n`)
  );
  const reply = new Uint8Array(REPLY_BYTES);
  for (let i = first; !isOver; i++) {
    const startMs = performance.now();
    await conn.write(requests[i % requests.length]!);
    const length = await conn.read(reply);
    latencies.push(performance.now() - startMs);
    if (length === null || reply[0] !== 0x24) {
      throw new Error("GET of a small key: no value came");
    }
  }
}
