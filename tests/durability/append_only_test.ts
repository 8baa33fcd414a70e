/**
 * The append-only log as its user meets it: files, commands, start and stop.
 */
import { concat } from "@std/bytes";
import { assert, assertEquals, assertMatch } from "@std/assert";
import { checkAof } from "../../src/front/cli/data/check_aof.ts";
import {
  FILE_HEAD_BYTES,
  makeFileHead,
} from "../../src/engine/persistence/log_frame.ts";
import { Random } from "../_random.ts";
import { pause } from "../_patience.ts";
import { plain, TestClient } from "../_resp_client.ts";
import { frame, frameOf } from "../unit/engine/persistence/_records.ts";
import { Victim, withDirectory } from "./_victim.ts";

const FOLDER = "appendonlydir";
/** Keys of a kind, their elements, and the longest time to live, in a random load. */
const KEYS = 40;
const WORDS = 20;
const TIMES_MS_MAX = 300;

async function ask(client: TestClient, ...argv: string[]) {
  return plain(await client.run(...argv));
}

async function info(client: TestClient): Promise<Map<string, string>> {
  const text = String(await ask(client, "INFO", "persistence"));
  return new Map(
    text.split("\r\n").map((line) => line.split(":") as [string, string]),
  );
}

/** Runs `body` with a server on a directory; ends it in order. */
async function withServer<T>(
  directory: string,
  options: { workers?: number; args?: string[] },
  body: (client: TestClient, victim: Victim) => Promise<T>,
): Promise<T> {
  const { workers = 1, args = [] } = options;
  const victim = await Victim.start({ directory, workers, args });
  try {
    using client = await victim.client();
    return await body(client, victim);
  } catch (cause) {
    throw new Error(victim.log.slice(-3000), { cause });
  } finally {
    await victim.stop();
  }
}

/** Starts a server that must refuse to; what it says. */
async function refusal(
  directory: string,
  args: string[] = [],
): Promise<string> {
  const output = await new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "--quiet", "-A", "--unstable-net", "src/front/cli/main.ts"],
      ...["--port", "0", "--workers", "1", "--save", "", "--appendonly", "yes"],
      ...["--dir", directory, ...args],
    ],
    cwd: new URL("../..", import.meta.url).pathname,
    stdin: "null",
  }).output();
  assertEquals(output.code, 1);
  return new TextDecoder().decode(output.stderr);
}

/** Makes a log by hand. */
function writeLog(directory: string, ...frames: Uint8Array[]): string {
  const folder = `${directory}/${FOLDER}`;
  Deno.mkdirSync(folder);
  const name = "appendonly.aof.1.incr.aof";
  Deno.writeTextFileSync(
    `${folder}/appendonly.aof.manifest`,
    `file ${name} seq 1 type i\n`,
  );
  const path = `${folder}/${name}`;
  Deno.writeFileSync(path, concat([makeFileHead(0), ...frames]));
  return path;
}

function modeOf(path: string): number {
  return Deno.statSync(path).mode! & 0o777;
}

const SOME_OF_ALL: readonly string[][] = [
  ["SET", "string", "value", "EX", "1000"],
  ["APPEND", "string", "\r\n\0\xff"],
  ["SETRANGE", "raw", "100", "x"],
  ["INCRBYFLOAT", "float", "0.1"],
  ["PFADD", "hll", "a", "b", "c"],
  ["BITFIELD", "bits", "SET", "u8", "100", "7"],
  ["RPUSH", "list", "a", "b", "c", "d"],
  ["LMPOP", "1", "list", "LEFT"],
  ["LMOVE", "list", "other", "LEFT", "RIGHT"],
  ["SADD", "set", "1", "2", "3", "four"],
  ["SPOP", "set"],
  ["SMOVE", "set", "set2", "four"],
  ["ZADD", "zset", "1", "a", "2.5", "b", "inf", "c"],
  ["ZPOPMIN", "zset"],
  ["GEOADD", "geo", "13.36", "38.11", "Palermo"],
  ["HSET", "hash", "f", "v", "g", "w"],
  ["HEXPIRE", "hash", "1000", "FIELDS", "1", "f"],
  ["HINCRBYFLOAT", "hash", "n", "1.5"],
  ["XADD", "stream", "*", "f", "v"],
  ["XADD", "stream", "MAXLEN", "~", "10", "*", "f", "v"],
  ["XGROUP", "CREATE", "stream", "g", "0"],
  ["XREADGROUP", "GROUP", "g", "c", "COUNT", "1", "STREAMS", "stream", ">"],
  ["COPY", "hash", "hash2"],
  ["RENAME", "hash2", "hash3"],
  ["SUNIONSTORE", "union", "set", "set2"],
  ["SORT", "list", "ALPHA", "STORE", "sorted"],
  ["SET", "gone", "1", "PX", "1"],
  ["MSET", "m1", "1", "m2", "2", "m3", "3"],
  ["DEL", "m2", "m3"],
  ["SELECT", "3"],
  ["SET", "db3", "1"],
  ["SWAPDB", "3", "5"],
  ["SELECT", "0"],
];

Deno.test("all is there after a restart, on any number of workers", async () => {
  await withDirectory(async (directory) => {
    const args = ["--appendfsync", "always"];
    const first = { workers: 3, args };
    let digest = await withServer(directory, first, async (client) => {
      for (const argv of SOME_OF_ALL) {
        const reply = await client.run(...argv);
        assert(reply.type !== "error", `${argv}: ${plain(reply)}`);
      }
      // A value that is larger than the ring.
      await client.run("SET", "big", "x".repeat(20 << 20));
      await client.run("MULTI");
      for (let i = 0; i < 30; i++) await client.run("SET", `t${i}`, `${i}`);
      await client.run("EXEC");
      return await ask(client, "DEBUG", "DIGEST");
    });
    for (const workers of [1, 2, 3]) {
      digest = await withServer(directory, { workers }, async (client) => {
        assertEquals(await ask(client, "DEBUG", "DIGEST"), digest);
        assertEquals(await ask(client, "DEBUG", "LOADAOF"), "OK");
        assertEquals(await ask(client, "DEBUG", "DIGEST"), digest);
        await client.run("LPUSH", "more", String(workers));
        if (workers === 2) await client.run("BGREWRITEAOF");
        return await ask(client, "DEBUG", "DIGEST");
      });
    }
  });
});

Deno.test("nobody else may read the files, or use them at a time", async () => {
  await withDirectory((directory) =>
    withServer(directory, {}, async (client) => {
      await client.run("SET", "k", "v");
      await client.run("BGREWRITEAOF");
      // Files come and go until it is done.
      while ((await info(client)).get("aof_rewrites") !== "1");
      assertEquals(modeOf(`${directory}/${FOLDER}`), 0o700);
      for (const { name } of Deno.readDirSync(`${directory}/${FOLDER}`)) {
        assertEquals(modeOf(`${directory}/${FOLDER}/${name}`), 0o600, name);
      }
      assertMatch(await refusal(directory), /Another server uses/);
    })
  );
});

Deno.test("BGREWRITEAOF, WAITAOF and INFO", async () => {
  await withDirectory((directory) =>
    withServer(directory, { workers: 2 }, async (client, victim) => {
      assertEquals(await ask(client, "WAITAOF", "1", "0", "0"), [1, 0]);
      await client.run("SET", "k", "v");
      assertEquals(await ask(client, "WAITAOF", "1", "0", "0"), [1, 0]);
      assertEquals(await ask(client, "WAITAOF", "1", "1", "5"), [1, 0]);
      assertEquals(await ask(client, "WAITAOF", "0", "0", "0"), [1, 0]);
      for (
        const [argv, error] of [
          [
            ["2", "0", "0"],
            "value is out of range, value must between 0 and 1",
          ],
          [["0", "-1", "0"], "value is out of range, must be positive"],
          [["0", "0", "-1"], "timeout is negative"],
          [["0", "0", "x"], "timeout is not an integer or out of range"],
        ] as const
      ) {
        const reply = await client.run("WAITAOF", ...argv);
        assertEquals(reply, { type: "error", value: `ERR ${error}` });
      }
      const before = await info(client);
      assertEquals(before.get("aof_enabled"), "1");
      assertEquals(before.get("aof_rewrites"), "0");
      assertEquals(before.get("aof_base_size"), `${FILE_HEAD_BYTES}`);
      assert(Number(before.get("aof_current_size")) > FILE_HEAD_BYTES);
      assertEquals(
        await ask(client, "BGREWRITEAOF"),
        "Background append only file rewriting started",
      );
      while ((await info(client)).get("aof_rewrites") !== "1");
      const names = Array.from(
        Deno.readDirSync(`${directory}/${FOLDER}`),
        ({ name }) => name,
      );
      assertEquals(names.toSorted(), [
        "appendonly.aof.1.base.rdb",
        "appendonly.aof.2.incr.aof",
        "appendonly.aof.lock",
        "appendonly.aof.manifest",
      ]);
      assert(victim.log.includes("rewrite finished successfully"));
    })
  );
});

Deno.test("the log is rewritten when it has grown", async () => {
  await withDirectory((directory) =>
    withServer(
      directory,
      { args: ["--auto-aof-rewrite-min-size", "100kb"] },
      async (client) => {
        for (let i = 0; i < 200; i++) {
          await client.run("SET", "k", "x".repeat(1000));
        }
        while ((await info(client)).get("aof_rewrites") === "0");
        while ((await info(client)).get("aof_rewrite_in_progress") !== "0");
        assert(Number((await info(client)).get("aof_current_size")) < 100_000);
      },
    )
  );
});

Deno.test("CONFIG SET appendonly turns the log on and off", async () => {
  await withDirectory(async (directory) => {
    const args = ["--appendonly", "no"];
    await withServer(directory, { workers: 2, args }, async (client) => {
      await client.run("SET", "before", "1");
      assertEquals((await info(client)).get("aof_enabled"), "0");
      assertMatch(
        String(await ask(client, "BGREWRITEAOF")),
        /appendonly is disabled/,
      );
      assertMatch(
        String(await ask(client, "WAITAOF", "1", "0", "0")),
        /cannot be used when numlocal is set but appendonly is disabled/,
      );
      assertEquals(
        await ask(client, "CONFIG", "SET", "appendonly", "yes"),
        "OK",
      );
      await client.run("SET", "on", "1");
      while ((await info(client)).get("aof_pending_rewrite") !== "0");
      assertEquals(await ask(client, "WAITAOF", "1", "0", "0"), [1, 0]);
      assertEquals(
        await ask(client, "CONFIG", "SET", "appendonly", "no"),
        "OK",
      );
      await client.run("SET", "off", "1");
      // Again, with what has changed meanwhile; now under always.
      await client.run("CONFIG", "SET", "appendfsync", "always");
      assertEquals(
        await ask(client, "CONFIG", "SET", "appendonly", "yes"),
        "OK",
      );
      await client.run("SET", "again", "1");
      while ((await info(client)).get("aof_pending_rewrite") !== "0");
      await client.run("SET", "at last", "1");
    });
    await withServer(directory, {}, async (client) => {
      assertEquals(
        await ask(client, "MGET", "before", "on", "off", "again", "at last"),
        ["1", "1", "1", "1", "1"],
      );
    });
  });
});

Deno.test("a log begins with the snapshot that is there", async () => {
  await withDirectory(async (directory) => {
    const args = ["--appendonly", "no"];
    await withServer(directory, { args }, async (client) => {
      await client.run("SET", "k", "from the snapshot");
      assertEquals(await ask(client, "SAVE"), "OK");
    });
    await withServer(directory, {}, async (client) => {
      assertEquals(await ask(client, "GET", "k"), "from the snapshot");
      await client.run("SET", "l", "logged");
    });
    Deno.removeSync(`${directory}/dump.rdb`);
    await withServer(directory, {}, async (client) => {
      assertEquals(await ask(client, "GET", "k"), "from the snapshot");
      assertEquals(await ask(client, "GET", "l"), "logged");
    });
  });
});

Deno.test("DEBUG RELOAD brings its data into the log", async () => {
  await withDirectory(async (directory) => {
    const digest = await withServer(directory, {}, async (client) => {
      await client.run("SET", "saved", "1");
      assertEquals(await ask(client, "SAVE"), "OK");
      await client.run("SET", "later", "1");
      assertEquals(await ask(client, "DEBUG", "RELOAD", "NOSAVE"), "OK");
      assertEquals(await ask(client, "GET", "later"), null);
      await client.run("SET", "last", "1");
      assertEquals(await ask(client, "DEBUG", "RELOAD"), "OK");
      await client.run("SET", "the end", "1");
      return await ask(client, "DEBUG", "DIGEST");
    });
    await withServer(directory, {}, async (client) => {
      assertEquals(await ask(client, "DEBUG", "DIGEST"), digest);
      assertEquals(await ask(client, "DBSIZE"), 3);
    });
  });
});

Deno.test("commands are refused while the log is loaded", async () => {
  await withDirectory(async (directory) => {
    const frames = Array.from(
      { length: 400 },
      (_, i) => frame(...Array.from({ length: 1000 }, (_, k) => i * 1000 + k)),
    );
    writeLog(directory, ...frames);
    // A port would be told when it is ready.
    const socket = `${directory}/socket`;
    const args = ["--unixsocket", socket];
    const victim = new Victim({ directory, workers: 2, args });
    try {
      let refused = 0;
      for (;;) {
        try {
          using client = await TestClient.connect(socket);
          const reply = await client.run("GET", "key:1");
          if (reply.type !== "error") break;
          assertEquals(
            reply.value,
            "LOADING Redis is loading the dataset in memory",
          );
          refused++;
          const text = String(await ask(client, "INFO", "persistence"));
          if (text.includes("loading:1")) {
            assertMatch(text, /loading_total_bytes:\d+\r\n/);
          }
        } catch (cause) {
          const isTooEarly = cause instanceof Deno.errors.ConnectionRefused ||
            cause instanceof Deno.errors.NotFound;
          if (!isTooEarly || victim.hasEnded) throw cause;
          await pause(1);
        }
      }
      assert(refused > 0);
      await victim.ready();
      using client = await TestClient.connect(socket);
      assertEquals(await ask(client, "DBSIZE"), 400_000);
    } finally {
      await victim.stop();
    }
  });
});

Deno.test("a torn end is cut off, or refused, and check-aof mends it", async () => {
  await withDirectory(async (directory) => {
    const good = [frame(0, 1, 2), frame(3, 4)];
    const path = writeLog(directory, ...good, frame(5, 6).subarray(0, 50));
    const folder = `${directory}/${FOLDER}`;
    const size = Deno.statSync(path).size;
    assertMatch(
      await refusal(directory, ["--aof-load-truncated", "no"]),
      /the frame at \d+ is cut off: 50 bytes at its end are no whole records/,
    );
    assertEquals(Deno.statSync(path).size, size);
    let said = "";
    const print = (text: string) => said += text;
    assertEquals(await checkAof([folder], print), 1);
    assertMatch(said, /5 records with 5 commands in 1 files are good/);
    assertMatch(said, /is good up to \d+ of \d+ bytes/);
    assertEquals(await checkAof(["--fix", folder], print, () => false), 1);
    assertEquals(Deno.statSync(path).size, size);
    await withServer(directory, {}, async (client, victim) => {
      assertEquals(await ask(client, "DBSIZE"), 5);
      assertMatch(victim.log, /50 bytes at its end are cut off/);
      assertEquals(await checkAof(["--fix", folder], print, () => true), 0);
      await client.run("SET", "k", "v");
    });
    await withServer(directory, {}, async (client) => {
      assertEquals(await ask(client, "DBSIZE"), 6);
    });
    said = "";
    assertEquals(await checkAof([folder], print), 0);
    assertMatch(said, /The log is valid\n$/);
  });
});

Deno.test("a damaged middle is refused, and check-aof cuts there", async () => {
  await withDirectory(async (directory) => {
    const first = frame(0, 1, 2);
    const path = writeLog(directory, first, frame(3, 4), frame(5));
    const bytes = Deno.readFileSync(path);
    const at = FILE_HEAD_BYTES + first.length;
    bytes[at + 30]! ^= 4;
    Deno.writeFileSync(path, bytes);
    const said = await refusal(directory);
    assert(said.includes(`Bad file ${path} at ${at}: no whole frame`), said);
    let text = "";
    const print = (more: string) => text += more;
    assertEquals(
      await checkAof(["--fix", `${directory}/${FOLDER}`], print, () => true),
      0,
    );
    await withServer(directory, {}, async (client) => {
      assertEquals(await ask(client, "DBSIZE"), 3);
    });
  });
});

Deno.test("a log whose commands fail is refused", async () => {
  await withDirectory(async (directory) => {
    writeLog(directory, frameOf(["SET", "k", "v"], ["LPUSH", "k", "v"]));
    assertMatch(
      await refusal(directory),
      /Cannot replay the log: record 1: LPUSH: WRONGTYPE/,
    );
  });
});

Deno.test("a disk that is full: MISCONF, and on when there is room", async () => {
  await withDirectory((directory) =>
    withServer(
      directory,
      { workers: 2, args: ["--appendfsync", "always"] },
      async (client, victim) => {
        if (!limitFiles(victim.pid, "unlimited")) return;
        await client.run("SET", "first", "1");
        using other = await victim.client();
        const path = `${directory}/${FOLDER}/appendonly.aof.1.incr.aof`;
        limitFiles(victim.pid, String(Deno.statSync(path).size + 20));
        // Nobody knows what becomes of it, so its reply waits. It is more than
        // what was reserved.
        await client.sendCommands([["SET", "waits", "x".repeat(2 << 20)]]);
        let reply = await other.run("PING");
        while (reply.type !== "error") reply = await other.run("PING");
        assertEquals(
          reply.value,
          "MISCONF Errors writing to the AOF file: File too large",
        );
        assertMatch(String(await ask(other, "SET", "k", "v")), /MISCONF/);
        assertEquals(await ask(other, "GET", "first"), "1");
        assertEquals((await info(other)).get("aof_last_write_status"), "err");
        await other.run("MULTI");
        assertMatch(String(await ask(other, "SET", "k", "v")), /MISCONF/);
        assertMatch(String(await ask(other, "EXEC")), /EXECABORT/);
        limitFiles(victim.pid, "unlimited");
        assertEquals(plain(await client.readReply()), "OK");
        while ((await other.run("PING")).type === "error");
        assertEquals(await ask(other, "SET", "k", "v"), "OK");
        assertEquals((await info(other)).get("aof_last_write_status"), "ok");
      },
    )
  );
});

Deno.test("a rewrite that fails costs nothing, and the next one works", async () => {
  await withDirectory(async (directory) => {
    const args = ["--appendonly", "no"];
    const value = "x".repeat(1000);
    const many = Array.from({ length: 500 }, (_, i) => ["SET", `k${i}`, value]);
    const digest = await withServer(
      directory,
      { workers: 2, args: [...args, "--rdbcompression", "no"] },
      async (client, victim) => {
        if (!limitFiles(victim.pid, "100000")) return null;
        await client.pipeline(many);
        // The first snapshot finds no room, again and again.
        assertEquals(
          await ask(client, "CONFIG", "SET", "appendonly", "yes"),
          "OK",
        );
        while (
          Number(
            (await info(client)).get("aof_rewrites_consecutive_failures"),
          ) < 2
        ) await client.run("INCR", "n");
        assertEquals((await info(client)).get("aof_pending_rewrite"), "1");
        limitFiles(victim.pid, "unlimited");
        while ((await info(client)).get("aof_pending_rewrite") !== "0") {
          await client.run("INCR", "n");
        }
        // Now with a log, which goes on.
        limitFiles(victim.pid, "400000");
        // The one before may not be quite over.
        while ((await client.run("BGREWRITEAOF")).type === "error");
        while ((await info(client)).get("aof_rewrite_in_progress") !== "0") {
          await client.run("INCR", "n");
        }
        assertEquals(
          (await info(client)).get("aof_last_bgrewrite_status"),
          "err",
        );
        await client.run("SET", "after", "the failure");
        limitFiles(victim.pid, "unlimited");
        // The one before may not be quite over.
        while ((await client.run("BGREWRITEAOF")).type === "error");
        await client.run("SET", "at", "the end");
        return await ask(client, "DEBUG", "DIGEST");
      },
    );
    if (digest === null) return;
    await withServer(directory, {}, async (client) => {
      assertEquals(await ask(client, "DEBUG", "DIGEST"), digest);
    });
  });
});

/** Sets the largest size of files; false where that cannot be done. */
function limitFiles(pid: number, bytes: string): boolean {
  try {
    return new Deno.Command("prlimit", {
      args: ["--pid", String(pid), `--fsize=${bytes}:`],
      stdin: "null",
    }).outputSync().success;
  } catch {
    return false;
  }
}

Deno.test("everything that many clients do is there after a restart", async () => {
  await withDirectory(async (directory) => {
    const random = new Random(Number(Deno.env.get("SHERD_SEED") ?? 1));
    const digest = await withServer(
      directory,
      { workers: 3, args: ["--auto-aof-rewrite-min-size", "50kb"] },
      async (client, victim) => {
        await Promise.all(
          Array.from({ length: 6 }, () => work(victim, random)),
        );
        await endTimes(client);
        return await ask(client, "DEBUG", "DIGEST");
      },
    );
    await withServer(directory, { workers: 2 }, async (client) => {
      assertEquals(await ask(client, "DEBUG", "DIGEST"), digest);
    });
  });
});

/** Waits until all times of {@linkcode work} are over, and deletes by them. */
async function endTimes(client: TestClient): Promise<void> {
  await pause(TIMES_MS_MAX + 10);
  const keys = Array.from({ length: KEYS }, (_, i) => `k${i}`);
  const words = Array.from({ length: WORDS }, (_, i) => `w${i}`);
  await client.pipeline(keys.flatMap((key) => [
    ["EXISTS", ...Array.from("sltzhxmn", (letter) => letter + key)],
    ["HMGET", `h${key}`, ...words],
  ]));
}

/** Many changes of few keys, and deletions of keys by their time. */
async function work(victim: Victim, random: Random): Promise<void> {
  using client = await victim.client();
  const key = () => `k${random.below(KEYS)}`;
  const word = () => `w${random.below(WORDS)}`;
  for (let round = 0; round < 60; round++) {
    const commands: (string | number)[][] = [];
    for (let i = random.between(1, 30); i > 0; i--) {
      const one = random.pick<() => (string | number)[]>([
        () => ["SET", `s${key()}`, word(), "PX", random.between(1, 200)],
        () => ["LPUSH", `l${key()}`, word(), word()],
        () => ["RPOP", `l${key()}`],
        () => ["LMOVE", `l${key()}`, `l${key()}`, "LEFT", "RIGHT"],
        () => ["SADD", `t${key()}`, word(), word()],
        () => ["SPOP", `t${key()}`],
        () => ["SUNIONSTORE", `t${key()}`, `t${key()}`, `t${key()}`],
        () => ["ZADD", `z${key()}`, random.below(9), word()],
        () => ["ZPOPMAX", `z${key()}`],
        () => ["HINCRBY", `h${key()}`, word(), 1],
        () => [
          "HPEXPIRE",
          `h${key()}`,
          random.between(1, 99),
          "FIELDS",
          1,
          word(),
        ],
        () => ["XADD", `x${key()}`, "MAXLEN", "5", "*", word(), word()],
        () => ["MSET", `m${key()}`, word(), `m${key()}`, word()],
        () => ["RENAME", `m${key()}`, `n${key()}`],
        () => ["DEL", `n${key()}`, `z${key()}`],
        () => ["PEXPIRE", `l${key()}`, random.between(1, TIMES_MS_MAX)],
        () => ["BLMOVE", `l${key()}`, `l${key()}`, "LEFT", "LEFT", "0.01"],
      ])();
      commands.push(one);
    }
    const isTransaction = random.chance(0.3);
    if (isTransaction) {
      commands.unshift(["MULTI"]);
      commands.push(["EXEC"]);
    }
    await client.sendCommands(commands);
    for (let i = 0; i < commands.length; i++) await client.readReply();
  }
}
