import { assertEquals } from "@std/assert";
import {
  seeded,
  sharedServers,
  startServer,
  type TestServer,
} from "../_harness.ts";
import {
  encodeCommands,
  fromBinary,
  type SendOptions,
  type TestClient,
  toBinary,
} from "../_resp_client.ts";

let server: TestServer;
sharedServers(async (stack) => {
  server = stack.use(await startServer({ workers: 2 }));
});

type Row = readonly [requests: string, replies: string];

const GET = "*2\r\n$3\r\nGET\r\n$5\r\nproto\r\n";
const SET = "*3\r\n$3\r\nSET\r\n$5\r\nproto\r\n$2\r\n\r\n\r\n";

const ROWS: readonly Row[] = [
  ["PING\r\n", "+PONG\r\n"],
  ["PING\n\n\r\nPING\n", "+PONG\r\n+PONG\r\n"],
  ["*1\r\n$4\r\nPING\r\n", "+PONG\r\n"],
  ["*1\r\n$4\r\npInG\r\n*0\r\n*-7\r\nPING\r\n", "+PONG\r\n+PONG\r\n"],
  [
    `SET proto x\r\nDEL proto\r\n${GET}${SET}${GET}`,
    "+OK\r\n:1\r\n$-1\r\n+OK\r\n$2\r\n\r\n\r\n",
  ],
  [
    `SET proto "\\x00\\xff \\n" EX 100\r\n${GET}DEL proto\r\n`,
    "+OK\r\n$4\r\n\x00\xff \n\r\n:1\r\n",
  ],
  ["ECHO 'it\\'s'\r\nECHO \"\"\r\n", "$4\r\nit's\r\n$0\r\n\r\n"],
  ["*2\r\n$4\r\nECHO\r\n$0\r\n\r\n", "$0\r\n\r\n"],
  [
    "*2\r\n$4\r\nECHO\r\n$9\r\n*1\r\n$4\r\nP\r\n",
    "$9\r\n*1\r\n$4\r\nP\r\n",
  ],
  [
    "NOPE\r\nPING\r\n",
    "-ERR unknown command 'NOPE', with args beginning with: \r\n+PONG\r\n",
  ],
  ["QUIT\r\nPING\r\n", "+OK\r\n"],
];

const CUTS: readonly (readonly [name: string, options: SendOptions])[] = [
  ["whole", {}],
  ["byte by byte", { chunks: 1 }],
  ["by twos", { chunks: 2 }],
  ["by sevens", { chunks: 7 }],
];

Deno.test("requests are answered whatever pieces they come in", async () => {
  for (const [requests, replies] of ROWS) {
    for (const [name, options] of CUTS) {
      using client = await server.client();
      // What follows a QUIT may find the connection closed.
      await client.sendRaw(requests, options)
        .then(() => client.sendRaw("QUIT\r\n"))
        .catch((error) => {
          if (!requests.startsWith("QUIT")) throw error;
        });
      const expected = requests.startsWith("QUIT")
        ? replies
        : `${replies}+OK\r\n`;
      assertEquals(toBinary(await client.readToEnd()), expected, name);
    }
  }
});

seeded("small and large arguments mix in one pipeline", async (random) => {
  const values = new Map<string, string>();
  const requests: string[][] = [];
  const expected: string[] = [];
  for (let i = 0; i < 60; i++) {
    const key = `{mix}${random.below(8)}`;
    if (random.chance(0.4)) {
      const value = values.get(key);
      requests.push(["GET", key]);
      expected.push(value === undefined ? "$-1\r\n" : bulk(value));
      continue;
    }
    const length = random.pick([
      ...[0, 3, 44, 45, 512, 2000, 2048, 16_000, 16_384, 65_535, 65_536],
      ...[65_537, 70_000, 131_072, 262_144, 300_000, 1_000_000],
    ]);
    const value = String.fromCharCode(97 + random.below(26)).repeat(length);
    if (random.chance(0.3)) {
      const other = `{mix}${random.below(8)}`;
      requests.push(["MSET", key, value, other, "small"]);
      values.set(key, value);
      values.set(other, "small");
      expected.push("+OK\r\n");
    } else if (random.chance(0.2)) {
      requests.push(["ECHO", value]);
      expected.push(bulk(value));
    } else {
      requests.push(["SET", key, value]);
      values.set(key, value);
      expected.push("+OK\r\n");
    }
  }
  const bytes = encodeCommands([["FLUSHALL"], ...requests]);
  const sizes = Array.from(
    { length: 300 },
    () => 1 + random.below(1 << random.below(18)),
  );
  using client = await server.client();
  const sending = client.sendRaw(bytes, { chunks: sizes });
  await expectBytes(client, ["+OK\r\n", ...expected].join(""));
  await sending;
}, { count: 5 });

Deno.test("an argument of many megabytes comes back as it was", async () => {
  using client = await server.client();
  const value = new Uint8Array(24 * 1024 * 1024 + 12_345);
  for (let i = 0; i < value.length; i += 997) value[i] = i;
  const sending = client.sendCommands([
    ["SET", "huge", value],
    ["STRLEN", "huge"],
    ["GET", "huge"],
    ["DEL", "huge"],
  ]);
  await expectBytes(client, `+OK\r\n:${value.length}\r\n$${value.length}\r\n`);
  for (let at = 0; at < value.length;) {
    const bytes = (await client.readBytes(value.length - at))!;
    const wanted = value.subarray(at, at + bytes.length);
    if (bytes.some((byte, i) => byte !== wanted[i])) {
      throw new Error(`The value differs near byte ${at}`);
    }
    at += bytes.length;
  }
  await expectBytes(client, "\r\n:1\r\n");
  await sending;
});

Deno.test("a request of very many arguments is read whole", async () => {
  using client = await server.client();
  const words = Array.from({ length: 20_000 }, (_, i) => `{w}${i}`);
  const [set, got, del] = await client.pipeline([
    ["MSET", ...words.flatMap((word) => [word, word])],
    ["MGET", ...words],
    ["DEL", ...words],
  ]);
  assertEquals(set, { type: "simple", value: "OK" });
  assertEquals(del, { type: "int", value: words.length });
  assertEquals(got!.type === "array" && got!.value.length, words.length);
});

Deno.test("a peer that sends and does not read is not read from", async () => {
  using client = await server.client();
  const value = "v".repeat(100_000);
  await client.run("SET", "slow", value);
  const rounds = 300;
  let sent = 0;
  const sending = (async () => {
    const request = encodeCommands([["GET", "slow"]]);
    for (; sent < rounds; sent++) {
      for (let at = 0; at < request.length;) {
        at += await client.conn.write(request.subarray(at));
      }
    }
  })();
  await expectBytes(client, bulk(value).repeat(rounds));
  await sending;
  await client.run("DEL", "slow");
});

Deno.test("requests before the end of input are answered", async () => {
  using client = await server.client();
  await client.sendRaw("PING\r\nECHO last\r\nECHO not com");
  await (client.conn as Deno.TcpConn).closeWrite();
  const all = toBinary(await client.readToEnd());
  assertEquals(all, "+PONG\r\n$4\r\nlast\r\n");
});

function bulk(value: string): string {
  return `$${value.length}\r\n${value}\r\n`;
}

/** Reads exactly the expected bytes; they may come in any pieces. */
async function expectBytes(client: TestClient, text: string): Promise<void> {
  const expected = fromBinary(text);
  for (let at = 0; at < expected.length;) {
    const bytes = await client.readBytes(
      Math.min(65_536, expected.length - at),
    );
    if (bytes === null) throw new Error(`The connection ended at byte ${at}`);
    const wrong = bytes.findIndex((byte, i) => byte !== expected[at + i]);
    if (wrong >= 0) {
      const wanted = expected.subarray(at + wrong, at + wrong + 100);
      assertEquals(
        toBinary(bytes.subarray(wrong, wrong + 100)),
        toBinary(wanted),
        `at byte ${at + wrong}`,
      );
    }
    at += bytes.length;
  }
}
