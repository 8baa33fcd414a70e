/**
 * The snapshot that a running server makes on demand: all keys as they were at one
 * moment, for who can read the server's files.
 *
 * @module
 */

import type { LinkReply, RespLink } from "./resp_link.ts";

/** Time between two looks at the server. */
const LOOK_MS = 50;
/** Times that another snapshot may come in between. */
const TRIES = 10;
/** Files may have times that are a little coarse. */
const COARSE_MS = 2000;

const decoder = new TextDecoder();

/**
 * Lets a server of this machine save its keys (BGSAVE), and returns the path of
 * the file. Throws if that fails, or if the file is not there for us.
 */
export async function saveOnServer(link: RespLink): Promise<string> {
  const startMs = Date.now();
  for (let tries = 1;; tries++) {
    await untilIdle(link);
    try {
      await link.run("BGSAVE");
      break;
    } catch (cause) {
      // A save point may have come in between.
      const isBusy = /in progress/.test((cause as Error).message);
      if (!isBusy || tries === TRIES) throw cause;
    }
  }
  const facts = await untilIdle(link);
  if (facts.get("rdb_last_bgsave_status") !== "ok") {
    throw new Error("BGSAVE failed: see the log of the server");
  }
  const folder = await setting(link, "dir");
  const path = `${folder}/${await setting(link, "dbfilename")}`;
  if (!folder.startsWith("/")) {
    throw new Error(`Where ${path} lies is not known: use --by scan`);
  }
  const changedMs = await Deno.stat(path).then(
    ({ mtime }) => mtime?.getTime() ?? 0,
    (cause: Error) => {
      throw new Error(
        `Cannot read the server's file: ${cause.message}: use --by scan`,
      );
    },
  );
  // That of another server that has the same path on another machine.
  if (changedMs < startMs - COARSE_MS) {
    throw new Error(`${path} is not of this server: use --by scan`);
  }
  return path;
}

/** Waits until nothing is saved or rewritten; what INFO says then. */
async function untilIdle(link: RespLink): Promise<Map<string, string>> {
  for (;;) {
    const text = textOf(await link.run("INFO", "persistence"));
    const facts = new Map(
      text.split("\r\n").map((line) => line.split(":", 2) as [string, string]),
    );
    if (
      facts.get("rdb_bgsave_in_progress") === "0" &&
      facts.get("aof_rewrite_in_progress") === "0"
    ) return facts;
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
}

async function setting(link: RespLink, name: string): Promise<string> {
  const reply = await link.run("CONFIG", "GET", name);
  const value = Array.isArray(reply) ? reply[1] : undefined;
  if (value === undefined) throw new Error(`CONFIG GET ${name} tells nothing`);
  return textOf(value);
}

function textOf(reply: LinkReply): string {
  if (reply instanceof Uint8Array) return decoder.decode(reply);
  return String(reply);
}
