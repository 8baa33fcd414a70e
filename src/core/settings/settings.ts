/**
 * The configuration of a running server: what CONFIG GET, SET and REWRITE
 * work on and what hot code reads.
 *
 * The truth is one text per row of the table (see `setting_spec.ts`). After
 * every change the texts are turned into plain fields, so that a command reads
 * `settings.maxmemory` at the price of a property. A field is named after its
 * setting in camel case and counts in the setting's unit: `timeout` in
 * seconds, `slowlogLogSlowerThan` in microseconds. Enums are indices
 * ({@linkcode MAXMEMORY_POLICY}, {@linkcode LOG_LEVEL},
 * {@linkcode PERMISSION}, {@linkcode LOCK_FAIRNESS}); sizes beyond 2^53 are rounded in the field and
 * exact in the text, and so are numbers of packed elements beyond what is ever
 * packed (`types/packed_limits.ts`). Rows that allow a single value have no field.
 *
 * - A change is all or nothing: every value is parsed and passed by its guard
 *   before any is installed.
 * - Listeners hear of a change after all fields have their new values, once
 *   per change, and only of settings that differ.
 * - Each worker has its own instance. The one where CONFIG SET ran hands its
 *   {@linkcode Settings.snapshot} to the others.
 *
 * @module
 */

import {
  configSetFailed,
  configUnknownOption,
  type ErrorReply,
} from "../resp/error_reply.ts";
import {
  decodeOutputBufferLimits,
  type OutputBufferLimits,
} from "./compound_values.ts";
import {
  BAD_DIRECTIVE,
  type Directive,
  type DirectiveError,
  rewriteConfig,
  textToBytes,
} from "./config_file.ts";
import { PACKED_ELEMENTS_MAX } from "../types/packed_limits.ts";
import {
  parseSetting,
  settingLines,
  type SettingSpec,
  splitSettingValue,
} from "./setting_spec.ts";
import {
  findSetting,
  IGNORED_DIRECTIVES,
  LOCK_FAIRNESS,
  LOG_LEVEL,
  MAXMEMORY_POLICY,
  PERMISSION,
  REFUSED_DIRECTIVES,
  SETTINGS_TABLE,
} from "./settings_table.ts";

/** What the defaults of some settings depend on. */
export interface SettingsHost {
  /** Processor cores, for `workers`. */
  readonly cores: number;
  /** The current directory as a byte text, for `dir`. */
  readonly dir: string;
}

/** The text of every setting by its name. */
export type SettingsSnapshot = Readonly<Record<string, string>>;

/** Whether a name, in lower case, matches a glob, in lower case. */
export type NameMatcher = (pattern: string, name: string) => boolean;

/** Says why a value cannot be used here, or `undefined` if it can. */
export type SettingGuard = (text: string) => string | undefined;

/** Hears the names of the settings that have changed. */
export type SettingsListener = (names: ReadonlySet<string>) => void;

/** How loading directives went; `ignored` ones deserve a line in the log. */
export interface LoadedDirectives {
  readonly error?: DirectiveError;
  readonly ignored: readonly Directive[];
}

/** Those that count elements of packed values. */
const PACKED_FIELDS = [
  "hashMaxListpackEntries",
  "setMaxIntsetEntries",
  "setMaxListpackEntries",
  "zsetMaxListpackEntries",
] as const;

const NO_LIMIT = { hardBytes: 0, softBytes: 0, softSeconds: 0 };
const NO_LIMITS = { normal: NO_LIMIT, replica: NO_LIMIT, pubsub: NO_LIMIT };

/** The configuration of one worker. */
export class Settings {
  readonly port: number = 0;
  readonly bind: readonly string[] = [];
  readonly unixsocket: string = "";
  readonly unixsocketperm: number = 0;
  readonly tcpBacklog: number = 0;
  readonly tcpKeepalive: number = 0;
  readonly timeout: number = 0;
  readonly maxclients: number = 0;
  readonly trackingTableMaxKeys: number = 0;
  readonly protectedMode: boolean = true;
  /** Empty: no password is asked for. */
  readonly requirepass: Uint8Array = new Uint8Array(0);
  readonly enableDebugCommand: number = PERMISSION.NO;
  readonly enableProtectedConfigs: number = PERMISSION.NO;
  readonly workers: number = 0;
  readonly databases: number = 0;
  readonly backgroundThreads: number = 0;
  readonly backgroundThreshold: number = 0;
  readonly backgroundThresholdBytes: number = 0;
  readonly backgroundThresholdKeys: number = 0;
  readonly backgroundQueue: number = 0;
  readonly warmUp: boolean = false;
  readonly loglevel: number = LOG_LEVEL.NOTICE;
  readonly logfile: string = "";
  readonly pidfile: string = "";
  readonly hz: number = 0;
  readonly notifyKeyspaceEvents: string = "";
  readonly dynamicHz: boolean = true;
  readonly busyReplyThreshold: number = 0;
  readonly maxmemory: number = 0;
  readonly maxmemoryPolicy: number = MAXMEMORY_POLICY.NOEVICTION;
  readonly maxmemorySamples: number = 0;
  readonly maxmemoryEvictionTenacity: number = 0;
  /** In bytes; a share of `maxmemory` is worked out. 0 is no limit. */
  readonly maxmemoryClients: number = 0;
  readonly lfuLogFactor: number = 0;
  readonly lfuDecayTime: number = 0;
  readonly activeExpireEffort: number = 0;
  readonly lazyfreeLazyEviction: boolean = false;
  readonly lazyfreeLazyExpire: boolean = false;
  readonly lazyfreeLazyServerDel: boolean = false;
  readonly lazyfreeLazyUserDel: boolean = false;
  readonly lazyfreeLazyUserFlush: boolean = false;
  readonly activedefrag: boolean = false;
  readonly activeDefragIgnoreBytes: number = 0;
  readonly activeDefragThresholdLower: number = 0;
  readonly activeDefragThresholdUpper: number = 0;
  readonly activeDefragCycleMin: number = 0;
  readonly activeDefragCycleMax: number = 0;
  readonly activeDefragMaxScanFields: number = 0;
  readonly protoMaxBulkLen: number = 0;
  readonly clientQueryBufferLimit: number = 0;
  readonly clientOutputBufferLimit: OutputBufferLimits = NO_LIMITS;
  readonly lockWaitTimeout: number = 0;
  readonly lockHoldWarning: number = 0;
  readonly lockHoldTimeout: number = 0;
  readonly lockFairness: number = LOCK_FAIRNESS.READERS_PASS;
  readonly slowlogLogSlowerThan: number = 0;
  readonly slowlogMaxLen: number = 0;
  readonly latencyMonitorThreshold: number = 0;
  readonly latencyTracking: boolean = true;
  readonly latencyTrackingInfoPercentiles: readonly number[] = [];
  readonly dir: string = "";
  readonly dbfilename: string = "";
  readonly appendonly: boolean = false;
  readonly appendfsync: number = 0;
  readonly appendfilename: string = "";
  readonly appenddirname: string = "";
  readonly aofLoadTruncated: boolean = true;
  readonly autoAofRewritePercentage: number = 0;
  readonly autoAofRewriteMinSize: number = 0;
  readonly rdbcompression: boolean = true;
  readonly rdbchecksum: boolean = true;
  readonly stopWritesOnBgsaveError: boolean = true;
  /** Pairs of seconds and changes, as a text. */
  readonly save: string = "";
  readonly hashMaxListpackEntries: number = 0;
  readonly hashMaxListpackValue: number = 0;
  readonly listMaxListpackSize: number = 0;
  readonly setMaxIntsetEntries: number = 0;
  readonly setMaxListpackEntries: number = 0;
  readonly setMaxListpackValue: number = 0;
  readonly zsetMaxListpackEntries: number = 0;
  readonly zsetMaxListpackValue: number = 0;
  readonly streamNodeMaxBytes: number = 0;
  readonly streamNodeMaxEntries: number = 0;
  readonly hllSparseMaxBytes: number = 0;

  readonly #defaults: readonly string[];
  #texts: readonly string[];
  readonly #guards: Map<string, SettingGuard> = new Map();
  readonly #listeners: SettingsListener[] = [];

  /** All settings at their defaults. */
  constructor(host: SettingsHost) {
    this.#defaults = SETTINGS_TABLE.map((spec) => {
      if (spec.name === "workers") return defaultWorkers(spec, host.cores);
      return spec.name === "dir" ? host.dir : spec.default;
    });
    this.#texts = this.#defaults;
    this.#fillFields();
  }

  /** The text of a setting, as CONFIG GET prints it. */
  text(name: string): string {
    const row = findSetting(name);
    if (row < 0) throw new RangeError(`No such setting: ${name}`);
    return this.#texts[row]!;
  }

  /**
   * CONFIG GET pattern [pattern ...]
   *
   * Names and texts of all settings that any pattern matches, each once, in
   * the table's order; an alias after the name it stands for.
   */
  get(patterns: readonly string[], matches: NameMatcher): [string, string][] {
    const exact = new Set<string>();
    const globs: string[] = [];
    for (const pattern of patterns) {
      const lower = pattern.toLowerCase();
      if (/[*?[]/.test(lower)) globs.push(lower);
      else exact.add(lower);
    }
    const pairs: [string, string][] = [];
    SETTINGS_TABLE.forEach((spec, row) => {
      for (const name of [spec.name, ...spec.aliases ?? []]) {
        if (exact.has(name) || globs.some((glob) => matches(glob, name))) {
          pairs.push([name, this.#texts[row]!]);
        }
      }
    });
    return pairs;
  }

  /**
   * CONFIG SET parameter value [parameter value ...]
   *
   * All names are judged before any value is. `isLocal` tells whether the
   * connection may do what protected settings allow to local ones.
   */
  set(
    pairs: readonly (readonly [name: string, value: string])[],
    isLocal = false,
  ): ErrorReply | undefined {
    const seen = new Set<string>();
    for (const [name] of pairs) {
      const row = findSetting(name);
      if (row < 0) return configUnknownOption(textToBytes(name));
      const lower = name.toLowerCase();
      const reason = this.#whyNotNow(SETTINGS_TABLE[row]!, isLocal) ??
        (seen.has(lower) ? "duplicate parameter" : undefined);
      if (reason !== undefined) return configSetFailed(lower, reason);
      seen.add(lower);
    }
    const texts = [...this.#texts];
    for (const [name, value] of pairs) {
      const row = findSetting(name);
      const { kind } = SETTINGS_TABLE[row]!;
      const reason = this.#assign(texts, row, splitSettingValue(kind, value));
      if (reason !== undefined) {
        return configSetFailed(name.toLowerCase(), reason);
      }
    }
    this.#install(texts);
    return undefined;
  }

  /**
   * Takes over what a file or the command line says, the later word over the
   * earlier, `save` adding up. After an error nothing has changed.
   */
  load(directives: Iterable<Directive>): LoadedDirectives {
    const texts = [...this.#texts];
    const ignored: Directive[] = [];
    for (const directive of directives) {
      const { name, words, origin } = directive;
      const row = findSetting(name);
      if (row < 0 && IGNORED_DIRECTIVES.has(name)) {
        ignored.push(directive);
        continue;
      }
      const reason = row < 0
        ? REFUSED_DIRECTIVES.get(name) ?? BAD_DIRECTIVE
        : this.#assign(texts, row, wordsOf(SETTINGS_TABLE[row]!, words), true);
      if (reason !== undefined) return { error: { origin, reason }, ignored };
    }
    this.#install(texts);
    return { ignored };
  }

  /** All texts, to be sent to another worker. */
  snapshot(): SettingsSnapshot {
    return Object.fromEntries(
      SETTINGS_TABLE.map((spec, row) => [spec.name, this.#texts[row]!]),
    );
  }

  /** Takes over another worker's texts, which were checked there. */
  applySnapshot(snapshot: SettingsSnapshot): void {
    this.#install(
      SETTINGS_TABLE.map((spec, row) =>
        snapshot[spec.name] ?? this.#texts[row]!
      ),
    );
  }

  /**
   * CONFIG REWRITE
   *
   * The content that the configuration file must get, made from its present
   * one. Both are byte texts.
   */
  rewrite(existing: string): string {
    return rewriteConfig(
      existing,
      SETTINGS_TABLE.map((spec, row) => ({
        name: spec.name,
        aliases: spec.aliases ?? [],
        lines: settingLines(spec, this.#texts[row]!, this.#defaults[row]!),
      })),
    );
  }

  /**
   * Lets the world veto a value that the table allows: a directory that does
   * not exist, more clients than file descriptors. One guard per setting.
   */
  guard(name: string, check: SettingGuard): void {
    this.#guards.set(name, check);
  }

  /** Calls the listener after every change from now on. */
  onChange(listener: SettingsListener): void {
    this.#listeners.push(listener);
  }

  #whyNotNow(spec: SettingSpec, isLocal: boolean): string | undefined {
    switch (spec.change) {
      case "live":
        return undefined;
      case "start":
        return "can't set immutable config";
      case "protected": {
        const permission = this.enableProtectedConfigs;
        const allowed = permission === PERMISSION.YES ||
          permission === PERMISSION.LOCAL && isLocal;
        return allowed ? undefined : "can't set protected config";
      }
    }
  }

  /** Puts a new text into `texts`, or says why not. */
  #assign(
    texts: string[],
    row: number,
    words: readonly string[],
    extend = false,
  ): string | undefined {
    const spec = SETTINGS_TABLE[row]!;
    const parsed = parseSetting(spec, words, texts[row]!, extend);
    if (parsed.text === undefined) return parsed.reason;
    const reason = this.#guards.get(spec.name)?.(parsed.text);
    if (reason === undefined) texts[row] = parsed.text;
    return reason;
  }

  #install(texts: readonly string[]): void {
    const changed = new Set<string>();
    for (let row = 0; row < texts.length; row++) {
      if (texts[row] !== this.#texts[row]) {
        changed.add(SETTINGS_TABLE[row]!.name);
      }
    }
    if (changed.size === 0) return;
    this.#texts = texts;
    this.#fillFields();
    for (const listener of this.#listeners) listener(changed);
  }

  /** The only place that writes the fields above. */
  #fillFields(): void {
    const fields = this as unknown as Record<string, unknown>;
    SETTINGS_TABLE.forEach((spec, row) => {
      const field = fieldName(spec.name);
      if (Object.hasOwn(fields, field)) {
        fields[field] = decodeText(spec, this.#texts[row]!);
      }
    });
    fields.maxmemoryClients = clientBytes(
      this.text("maxmemory-clients"),
      this.maxmemory,
    );
    for (const field of PACKED_FIELDS) {
      fields[field] = Math.min(this[field], PACKED_ELEMENTS_MAX);
    }
  }
}

/** A value of several words may be quoted as a whole: `--save "3600 1"`. */
function wordsOf(
  spec: SettingSpec,
  words: readonly string[],
): readonly string[] {
  if (words.length !== 1 || words[0] === "") return words;
  return splitSettingValue(spec.kind, words[0]!.trim());
}

/** What code reads in place of a text. */
function decodeText(spec: SettingSpec, text: string): unknown {
  const { kind } = spec;
  switch (kind.type) {
    case "boolean":
      return text === "yes";
    case "octal":
      return parseInt(text, 8);
    case "enum":
      return kind.values.indexOf(text);
    case "string":
      // Names of files are UTF-8 for whoever opens them.
      return new TextDecoder().decode(textToBytes(text));
    case "secret":
      return textToBytes(text);
    case "addresses":
      return text === "" ? [] : text.split(" ");
    case "percentiles":
      return text === "" ? [] : text.split(" ").map(Number);
    case "outputBufferLimits":
      return decodeOutputBufferLimits(text);
    case "savePoints":
    case "eventClasses":
      return text;
    default:
      return Number(text);
  }
}

function clientBytes(text: string, maxmemory: number): number {
  if (!text.endsWith("%")) return Number(text);
  return Math.floor(maxmemory * parseInt(text) / 100);
}

/** One worker per core, as far as the table allows. */
function defaultWorkers(spec: SettingSpec, cores: number): string {
  const max = spec.kind.type === "integer" ? Number(spec.kind.max) : cores;
  return String(Math.max(1, Math.min(cores, max)));
}

/** `maxmemory-policy` is the field `maxmemoryPolicy`. */
function fieldName(name: string): string {
  return name.replace(/-(.)/g, (_, letter: string) => letter.toUpperCase());
}
