import type { Arena } from "./arena.ts"; import type { Heap } from "./heap.ts";
/** Stub. @module */
export class Listpacks { constructor(_a: Arena, _h: Heap) {} }
