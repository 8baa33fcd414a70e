/**
 * The program as one file: `deno compile` makes it, it starts, serves, and
 * stops in order.
 *
 * @module
 */

import { assertEquals, assertStringIncludes } from "@std/assert";
import { TestClient } from "../_resp_client.ts";
import { plain } from "../_resp_reply.ts";
import { ServerProcess } from "../_server_process.ts";
import { outputOf } from "../../src/front/cli/compile.ts";

const ROOT = new URL("../../", import.meta.url);

/** Makes the executable as the task `compile` does; null where it cannot. */
function compile(output: string): string | null {
  const made = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "src/front/cli/compile.ts", output],
    cwd: ROOT,
    stdout: "null",
    stderr: "piped",
  }).outputSync();
  if (made.success) return output;
  const why = new TextDecoder().decode(made.stderr);
  if (/download|dns|resolve|denort|error sending request/i.test(why)) {
    return null;
  }
  throw new Error(why);
}

Deno.test("compile: where the executable goes, and what is no such place", () => {
  const usage = "Usage: deno task compile [OUTPUT]\n";
  assertEquals(outputOf(["/bin/x"]), { output: "/bin/x" });
  assertEquals(outputOf([]), { output: `${Deno.cwd()}/sherd` });
  for (const help of ["--help", "-h"]) {
    assertEquals(outputOf([help]), { usage, isError: false });
  }
  assertEquals(outputOf(["x", "--quick"]), {
    usage: `Unknown option: --quick\n${usage}`,
    isError: true,
  });
  assertEquals(outputOf(["x", "y"]), { usage, isError: true });
});

const directory = Deno.makeTempDirSync({ prefix: "sherd_compile_" });
const program = compile(`${directory}/sherd`);
if (program === null) {
  // A person at a terminal reads it.
  // deno-lint-ignore no-console
  console.log(
    "LEFT OUT: the test of the executable; `deno compile` needs the runtime " +
      "denort: let it download, or set DENORT_BIN",
  );
}
globalThis.addEventListener("unload", () => {
  Deno.removeSync(directory, { recursive: true });
});

Deno.test({
  name: "the executable serves on two workers and stops at SIGTERM",
  // Without a runtime to build from there is nothing to test; see above.
  ignore: program === null,
  fn: async () => {
    await using server = await ServerProcess.start({
      command: [program!, "--port", "0", "--workers", "2"],
      ready: /port=(\d+)/,
    });
    using client = await TestClient.connect(Number(server.ready[1]));
    assertEquals(plain(await client.run("SET", "k", "v")), "OK");
    assertEquals(plain(await client.run("GET", "k")), "v");
    Deno.kill(server.pid, "SIGTERM");
    assertEquals((await server.exited).code, 0);
    assertStringIncludes(server.stdout, "Received SIGTERM");
  },
});

Deno.test({
  name: "the executable explains itself and refuses what it does not know",
  ignore: program === null,
  fn: () => {
    const run = (...args: string[]) =>
      new Deno.Command(program!, { args }).outputSync();
    const help = run("--help");
    assertEquals(help.code, 0);
    assertStringIncludes(new TextDecoder().decode(help.stdout), "--port");
    const wrong = run("--no-such-option", "1");
    assertEquals(wrong.code, 1);
    assertStringIncludes(
      new TextDecoder().decode(wrong.stderr),
      "no-such-option",
    );
    const invalid = run("--maxmemory", "lots");
    assertEquals(invalid.code, 1);
    assertStringIncludes(
      new TextDecoder().decode(invalid.stderr),
      "maxmemory",
    );
  },
});
