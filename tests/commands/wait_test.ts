import { assertEquals } from "@std/assert";
import { plain, type Reply } from "../_resp_client.ts";
import { commandSuite } from "./_suite.ts";

function error(value: string): Reply {
  return { type: "error", value };
}

commandSuite("WAIT judges its arguments in order", async ({ client }) => {
  const rows: [string[], string][] = [
    [["x", "y"], "ERR value is not an integer or out of range"],
    [["1", "y"], "ERR timeout is not an integer or out of range"],
    [["1", "0.5"], "ERR timeout is not an integer or out of range"],
    [["0", "-1"], "ERR timeout is negative"],
    [["1", "9223372036854775807"], "ERR timeout is out of range"],
    [["1"], "ERR wrong number of arguments for 'wait' command"],
  ];
  for (const [words, text] of rows) {
    assertEquals(await client.run("WAIT", ...words), error(text));
  }
});

commandSuite(
  "WAIT finds no replicas, at once or when the time is over",
  async ({
    client,
  }) => {
    await client.run("SET", "key", "value");
    for (const words of [["0", "0"], ["-1", "0"], ["1", "5"], ["2", "1"]]) {
      assertEquals(plain(await client.run("WAIT", ...words)), 0);
    }
    await client.run("MULTI");
    await client.run("WAIT", "1", "0");
    assertEquals(plain(await client.run("EXEC")), [0]);
  },
);
