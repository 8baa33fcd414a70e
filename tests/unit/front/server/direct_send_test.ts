import { assert, assertEquals } from "@std/assert";
import {
  descriptorOf,
  directSend,
  InputLook,
} from "../../../../src/front/server/direct_send.ts";

const byte = new Uint8Array([1]);

Deno.test({
  name: "InputLook sees what can be read, and the end",
  ignore: directSend === null,
}, async () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr as Deno.NetAddr;
  const clients: Deno.Conn[] = [];
  const sockets: Deno.Conn[] = [];
  const look = new InputLook();
  try {
    assert(!look.hasInput());
    for (let i = 0; i < 3; i++) {
      clients.push(await Deno.connect({ hostname: "127.0.0.1", port }));
      sockets.push(await listener.accept());
      look.add(descriptorOf(sockets[i]!));
    }
    assert(!look.hasInput());
    await clients[1]!.write(byte);
    while (!look.hasInput()) await clients[2]!.write(byte);
    look.clear();
    look.add(descriptorOf(sockets[0]!));
    assert(!look.hasInput());
    clients[0]!.close();
    assertEquals(await sockets[0]!.read(new Uint8Array(1)), null);
    assert(look.hasInput());
  } finally {
    for (const socket of sockets) socket.close();
    for (const client of clients.slice(1)) client.close();
  }
});
