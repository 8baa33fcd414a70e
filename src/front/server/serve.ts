/**
 * A server inside of another program.
 *
 * @module
 */

import { Settings } from "../../core/settings/settings.ts";
import { type Server, startServer } from "./server.ts";

/** How the server is to run; what is left out is as in the program `sherd`. */
export interface ServeOptions {
  /** TCP port; 0 (the default) takes any that is free. */
  readonly port?: number;
  /** Addresses to listen on. */
  readonly hostname?: string | readonly string[];
  /** Worker threads; as many as cores by default. */
  readonly workers?: number;
  /** Path of a unix socket to listen on as well. */
  readonly unixSocket?: string;
  /**
   * Any setting of a configuration file, by its name there. Unless `warm-up` is "no",
   * or there is one worker, it takes some tenths of a second longer to start.
   */
  readonly settings?: Readonly<Record<string, string>>;
  /** Takes lines of the log; by default they are dropped. */
  readonly onLog?: (level: string, text: string) => void;
  /**
   * Told of a bug in the server, which then cannot go on; by default it is
   * thrown where nothing catches it.
   */
  readonly onBug?: (cause: unknown) => void;
  /** Lets latches assert their rules; slower, for tests. */
  readonly checks?: boolean;
}

/** Where a server listens. */
export interface ServeAddress {
  /** The first address. */
  readonly hostname: string;
  /** The TCP port. */
  readonly port: number;
}

/** A running server. */
export interface SherdServer extends AsyncDisposable {
  /** Where it listens. */
  readonly addr: ServeAddress;
  /** Settles when the server has stopped, for whatever reason. */
  readonly finished: Promise<void>;
  /** Answers what is under way, closes all connections, ends the workers. */
  close(): Promise<void>;
}

/**
 * Starts a server in this process and resolves when it accepts connections.
 *
 * @throws {TypeError} if a setting is unknown or its value is not allowed.
 * @throws {Error} if an address cannot be listened on.
 *
 * @example
 * ```ts
 * import { serve } from "@sherd/sherd";
 *
 * const server = await serve({ workers: 1, settings: { maxmemory: "64mb" } });
 * console.log(`redis-cli -p ${server.addr.port}`);
 * await server.close();
 * ```
 */
export async function serve(options: ServeOptions = {}): Promise<SherdServer> {
  const host = { cores: navigator.hardwareConcurrency, dir: Deno.cwd() };
  const settings = new Settings(host);
  load(settings, options);
  const server = await startServer({
    settings,
    host,
    configFile: "",
    checks: options.checks ?? false,
    log: (level, text) => options.onLog?.(level, text),
    onBug: options.onBug ?? ((cause) =>
      queueMicrotask(() => {
        throw cause;
      })),
  });
  return handle(server, settings);
}

function load(settings: Settings, options: ServeOptions): void {
  const words: [string, string[]][] = [["port", [`${options.port ?? 0}`]]];
  // One worker alone takes no latches, for which others might wait.
  if (options.workers !== 1) words.push(["warm-up", ["yes"]]);
  if (options.hostname !== undefined) {
    words.push(["bind", [options.hostname].flat()]);
  }
  if (options.workers !== undefined) {
    words.push(["workers", [`${options.workers}`]]);
  }
  if (options.unixSocket !== undefined) {
    words.push(["unixsocket", [options.unixSocket]]);
  }
  for (const [name, value] of Object.entries(options.settings ?? {})) {
    words.push([name.toLowerCase(), [value]]);
  }
  const { error } = settings.load(words.map(([name, values]) => ({
    name,
    words: values,
    origin: { line: 0, text: `${name} ${values.join(" ")}` },
  })));
  if (error === undefined) return;
  throw new TypeError(
    `Cannot start the server with "${error.origin.text}": ${error.reason}`,
  );
}

function handle(server: Server, settings: Settings): SherdServer {
  const first = settings.bind[0] ?? "";
  return {
    addr: { hostname: first.replace(/^-/, ""), port: server.port },
    finished: server.finished,
    close: () => server.shutDown(true),
    [Symbol.asyncDispose]: () => server.shutDown(true),
  };
}
