import winston from 'winston'
import type { RequestContext } from './context.ts'

export type LogLevel = 'debug' | 'info' | 'warn' | 'error'

/** Facts beside a constant message: they are printed as `key=value` and kept as fields in JSON. */
export type LogFacts = Readonly<Record<string, unknown>>

/**
 * Our logger. Messages are constant sentences; what varies goes into the facts. Bind what every line of a
 * piece of work shares with `with`.
 */
export interface Logger {
  debug(message: string, facts?: LogFacts): void
  info(message: string, facts?: LogFacts): void
  warn(message: string, facts?: LogFacts): void
  error(message: string, facts?: LogFacts): void
  /** The same log under another logger name, such as `nova.compute.manager`. */
  named(name: string): Logger
  /** Lines below carry the request's id, user and project, and the uid of the instance they are about. */
  with(ctx: RequestContext, instanceUid?: string): Logger
}

export interface LogOptions {
  readonly format: 'text' | 'json'
  /** The level of every logger that `levels` does not name. */
  readonly level: LogLevel
  /** Levels by logger name; a name covers the names below it (`nova.compute` covers `nova.compute.manager`). */
  readonly levels?: Readonly<Record<string, LogLevel>>
  /** A file to append to; without it lines go to standard error. */
  readonly file?: string
}

/** What a line is bound to before its message. */
interface Scope {
  readonly name: string
  readonly ctx?: RequestContext
  readonly instance?: string
}

interface Line extends Scope {
  readonly level: LogLevel
  readonly message: string
  readonly facts?: LogFacts
}

const SEVERITY: Readonly<Record<LogLevel, number>> = { debug: 0, info: 1, warn: 2, error: 3 }
const LEVEL_WORD: Readonly<Record<LogLevel, string>> = {
  debug: 'DEBUG',
  info: 'INFO',
  warn: 'WARNING',
  error: 'ERROR',
}

/** The lowest severity a logger name lets through: the longest configured prefix wins. */
export function levelFor(name: string, options: Pick<LogOptions, 'level' | 'levels'>): LogLevel {
  let best = ''
  let level = options.level
  for (const [prefix, candidate] of Object.entries(options.levels ?? {})) {
    const covers = name === prefix || name.startsWith(`${prefix}.`)
    if (covers && prefix.length > best.length) {
      best = prefix
      level = candidate
    }
  }
  return level
}

function factText(value: unknown): string {
  if (typeof value === 'string') return /^[^\s"=]+$/.test(value) ? value : JSON.stringify(value)
  if (value instanceof Error) return JSON.stringify(value.message)
  return JSON.stringify(value) ?? String(value)
}

/** One line as oslo.log writes it: `time pid LEVEL logger [request user project] [instance: uid] message`. */
export function formatText(line: Line, time: Date, pid: number): string {
  const { ctx, instance, facts } = line
  const stamp = time.toISOString().replace('T', ' ').slice(0, 23)
  const ids = ctx?.globalRequestId ? `${ctx.globalRequestId} ${ctx.requestId}` : ctx?.requestId
  const request = ctx ? `[${ids} ${ctx.user} ${ctx.project}]` : '[-]'
  const about = instance ? ` [instance: ${instance}]` : ''
  const fields = Object.entries(facts ?? {})
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => ` ${key}=${factText(value)}`)
    .join('')
  const text = `${stamp} ${pid} ${LEVEL_WORD[line.level]} ${line.name} ${request}${about} ${line.message}${fields}`
  // What others sent us must not look like a line of our own.
  return /[\r\n]/.test(text) ? text.replaceAll('\r', '\\r').replaceAll('\n', '\\n') : text
}

/** The same line as one JSON object. */
export function formatJson(line: Line, time: Date, pid: number): string {
  const { ctx, instance, facts } = line
  const plainFacts = Object.fromEntries(
    Object.entries(facts ?? {}).map(([key, value]) => [key, value instanceof Error ? value.message : value]),
  )
  const own = {
    time: time.toISOString(),
    pid,
    level: LEVEL_WORD[line.level],
    logger: line.name,
    ...(ctx && {
      request_id: ctx.requestId,
      global_request_id: ctx.globalRequestId,
      user: ctx.user,
      project: ctx.project,
    }),
    ...(instance && { instance }),
    message: line.message,
  }
  // Facts come last in the line, and never in the place of what is the line's own.
  return JSON.stringify({ ...own, ...plainFacts, ...own })
}

class ScopedLogger implements Logger {
  readonly #write: (line: Line) => void
  readonly #scope: Scope
  readonly #options: LogOptions
  readonly #threshold: number

  constructor(write: (line: Line) => void, options: LogOptions, scope: Scope) {
    this.#write = write
    this.#options = options
    this.#scope = scope
    this.#threshold = SEVERITY[levelFor(scope.name, options)]
  }

  debug(message: string, facts?: LogFacts): void {
    this.#log('debug', message, facts)
  }

  info(message: string, facts?: LogFacts): void {
    this.#log('info', message, facts)
  }

  warn(message: string, facts?: LogFacts): void {
    this.#log('warn', message, facts)
  }

  error(message: string, facts?: LogFacts): void {
    this.#log('error', message, facts)
  }

  named(name: string): Logger {
    return new ScopedLogger(this.#write, this.#options, { ...this.#scope, name })
  }

  with(ctx: RequestContext, instanceUid?: string): Logger {
    const instance = instanceUid ?? ctx.instanceUid ?? this.#scope.instance
    return new ScopedLogger(this.#write, this.#options, {
      name: this.#scope.name,
      ctx,
      ...(instance !== undefined && { instance }),
    })
  }

  #log(level: LogLevel, message: string, facts: LogFacts | undefined): void {
    if (SEVERITY[level] < this.#threshold) return
    this.#write({ ...this.#scope, level, message, ...(facts && { facts }) })
  }
}

/** A process's (or, in the embedded cluster, a service's) log. `close` flushes what was written. */
export interface LogSink {
  readonly logger: Logger
  close(): Promise<void>
}

/** Opens a log. Winston does the writing; the line is ours. */
export function openLog(options: LogOptions): LogSink {
  const print = winston.format.printf((info) => String(info.message))
  const transport = options.file
    ? new winston.transports.File({ filename: options.file })
    : new winston.transports.Stream({ stream: process.stderr })
  const sink = winston.createLogger({ level: 'silly', format: print, transports: [transport] })
  const format = options.format === 'json' ? formatJson : formatText
  let isClosed = false
  const write = (line: Line): void => {
    // Whoever still works when its log is closed has nobody left to tell.
    if (isClosed) return
    sink.log({ level: line.level, message: format(line, new Date(), process.pid) })
  }
  return {
    logger: new ScopedLogger(write, options, { name: 'nova' }),
    close: async () => {
      const finished = new Promise<void>((resolve) => {
        transport.once('finish', () => resolve())
      })
      isClosed = true
      sink.end()
      if (options.file) await finished
    },
  }
}

/** A logger that hands each formatted line to `write`: for tests and for the embedded cluster. */
export function loggerTo(write: (text: string) => void, options: LogOptions): Logger {
  const format = options.format === 'json' ? formatJson : formatText
  return new ScopedLogger((line) => write(format(line, new Date(), process.pid)), options, { name: 'nova' })
}
