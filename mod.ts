/**
 * sherd, a Redis-compatible, multi-core, in-memory data server, as a library.
 *
 * ```ts
 * import { serve } from "@sherd/sherd";
 *
 * await using server = await serve({ port: 0, workers: 1 });
 * const conn = await Deno.connect({ port: server.addr.port });
 * await conn.write(new TextEncoder().encode("PING\r\n"));
 * const reply = new Uint8Array(7);
 * await conn.read(reply);
 * if (new TextDecoder().decode(reply) !== "+PONG\r\n") throw new Error();
 * conn.close();
 * ```
 *
 * Several workers on one port need the flag `--unstable-net`.
 *
 * @module
 */

export {
  serve,
  type ServeAddress,
  type ServeOptions,
  type SherdServer,
} from "./src/front/server/serve.ts";
