/**
 * One body, four tests: commands must behave the same on one worker and on
 * several, in RESP2 and in RESP3. The servers of a file are started once;
 * every test gets a connection of its own and an empty keyspace.
 *
 * @module
 */
import { sharedServers, startServer, type TestServer } from "../_harness.ts";
import { until } from "../_patience.ts";
import { plain, type TestClient } from "../_resp_client.ts";

/** What a test body works with. */
export interface SuiteContext {
  /** A fresh connection that speaks `resp`. */
  client: TestClient;
  server: TestServer;
  resp: 2 | 3;
  workers: number;
}

/** Limits of a suite, for commands that make no sense in all four forms. */
export interface SuiteOptions {
  workers?: readonly number[];
  resp?: readonly (2 | 3)[];
}

const WORKERS: readonly number[] = [1, 4];
const PROTOCOLS: readonly (2 | 3)[] = [2, 3];

const servers = new Map<number, TestServer | null>();

/** Registers the tests of one body. */
export function commandSuite(
  name: string,
  body: (context: SuiteContext) => void | Promise<void>,
  options: SuiteOptions = {},
): void {
  if (servers.size === 0) registerServers();
  for (const workers of options.workers ?? WORKERS) {
    if (!servers.has(workers)) servers.set(workers, null);
    for (const resp of options.resp ?? PROTOCOLS) {
      Deno.test(
        `${name} (workers ${workers}, RESP${resp})`,
        () => runBody(body, workers, resp),
      );
    }
  }
}

function registerServers(): void {
  sharedServers(async (stack) => {
    for (const workers of servers.keys()) {
      const server = stack.use(await startServer({ workers }));
      servers.set(workers, server);
    }
  });
}

/**
 * Waits until the server has noticed that all connections of the test before are
 * closed: they would be counted, listed and killed.
 */
function untilAlone(client: TestClient): Promise<void> {
  return until("nobody else is connected", async () => {
    const info = String(plain(await client.run("INFO", "clients")));
    return info.includes("connected_clients:1\r");
  });
}

async function runBody(
  body: (context: SuiteContext) => void | Promise<void>,
  workers: number,
  resp: 2 | 3,
): Promise<void> {
  const server = servers.get(workers)!;
  try {
    using client = await server.client({ resp });
    await untilAlone(client);
    await client.run("FLUSHALL");
    await body({ client, server, resp, workers });
  } catch (error) {
    if (server.status === null) throw error;
    throw new Error(`Server has ended: ${server.stderr}`, { cause: error });
  }
}
