/**
 * Servers of tests of what is done in slices, on one worker and on several, and
 * what these tests ask them.
 *
 * @module
 */
import { sharedServers, startServer, type TestServer } from "../_harness.ts";
import { until } from "../_patience.ts";
import { type Plain, plain, type TestClient } from "../_resp_client.ts";

/** What declares a test on one worker and on several, in either protocol. */
export type Suite = (
  name: string,
  body: (client: TestClient, server: TestServer) => Promise<void>,
) => void;

/** Servers by their number of workers, and tests on them. */
export interface SlicesSuite {
  readonly suite: Suite;
  readonly servers: ReadonlyMap<number, TestServer>;
}

/** Workers, and protocol of the client. */
const RUNS: readonly (readonly [number, 2 | 3])[] = [[1, 3], [3, 2]];

/**
 * Starts the servers, with or without a log, and with keyspace events of these
 * classes; no test leaves a lock.
 */
export function slicesSuite(
  { events = "KEA", isLogged = true, runs = RUNS, more = [] as string[] } = {},
): SlicesSuite {
  const servers = new Map<number, TestServer>();
  sharedServers(async (stack) => {
    const dir = await Deno.makeTempDir({ prefix: "sherd_slices_" });
    stack.defer(() => Deno.removeSync(dir, { recursive: true }));
    for (const [workers] of runs) {
      const folder = `${dir}/${workers}`;
      await Deno.mkdir(folder);
      const args = [
        ...["--notify-keyspace-events", events],
        ...["--appendonly", isLogged ? "yes" : "no"],
        // A log that is loaded while it is written anew is another matter.
        ...["--dir", folder, "--auto-aof-rewrite-percentage", "0"],
        ...more,
      ];
      servers.set(workers, stack.use(await startServer({ workers, args })));
    }
  });
  const suite: Suite = (name, body) => {
    for (const [workers, resp] of runs) {
      Deno.test(`${name} (workers ${workers}, RESP${resp})`, async () => {
        const server = servers.get(workers)!;
        using client = await server.client({ resp });
        await client.run("FLUSHALL");
        await body(client, server);
        await settled(client);
      });
    }
  };
  return { suite, servers };
}

/** A number of INFO stats. */
export async function statistic(
  client: TestClient,
  name: string,
): Promise<number> {
  const info = String(plain(await client.run("INFO", "stats")));
  return Number(new RegExp(`${name}:(\\d+)`).exec(info)![1]);
}

/** What was begun for others may still be under way. */
export function settled(client: TestClient): Promise<void> {
  return until(
    "no lock is left",
    async () => await statistic(client, "sherd_lock_handles") === 0,
  );
}

/**
 * Runs something while a command in slices is under way; says whether it still is.
 */
export async function during(
  server: TestServer,
  client: TestClient,
  argv: readonly string[],
  body: () => Promise<unknown>,
): Promise<[Plain, boolean]> {
  using other = await server.client();
  const before = await statistic(client, "sherd_sliced_commands");
  // Steps are slow, so that it takes long.
  await client.run("DEBUG", "SLOW-STEPS", "1000", "100");
  const reply = other.run(...argv);
  let isOver = false;
  reply.finally(() => isOver = true);
  await until(
    "it has begun",
    async () =>
      isOver || await statistic(client, "sherd_sliced_commands") > before,
  );
  await body();
  const isCaught = !isOver;
  await client.run("DEBUG", "SLOW-STEPS", "0", "0");
  return [plain(await reply), isCaught];
}
