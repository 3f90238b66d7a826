const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/
const DATE_TIME =
  /^\d{4}-\d{2}-\d{2}[Tt](?:[01]\d|2[0-4]):[0-5]\d:(?:[0-5]\d|60)(?:\.\d+)?(?:[Zz]|[+-]\d{2}:?\d{2})$/
const IPV4 = /^(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)(?:\.(?!$)|$)){4}$/
const IPV6 = /^[0-9a-fA-F:.]*:[0-9a-fA-F:.]*$/

/** String formats that the real server checks; any other format is only documentation. */
const CHECKS: Readonly<Record<string, (text: string) => boolean>> = {
  byte: (text) => text !== '' && BASE64.test(text),
  'date-time': (text) => DATE_TIME.test(text) && !Number.isNaN(Date.parse(text)),
  date: (text) => /^\d{4}-\d{2}-\d{2}$/.test(text) && !Number.isNaN(Date.parse(text)),
  duration: (text) => /^[-+]?(?:0|(?:\d+(?:\.\d*)?|\.\d+)(?:ns|us|µs|ms|s|m|h))+$/.test(text),
  email: (text) => /^[^\s@]+@[^\s@]+$/.test(text),
  hostname: (text) => /^(?=.{1,253}$)[a-zA-Z0-9](?:[-a-zA-Z0-9]{0,62}(?:\.|$))+$/.test(text),
  ipv4: (text) => IPV4.test(text),
  ipv6: (text) => IPV6.test(text),
  ip: (text) => IPV4.test(text) || IPV6.test(text),
  cidr: (text) => /^[0-9a-fA-F:.]+\/\d{1,3}$/.test(text),
  mac: (text) => /^(?:[0-9a-fA-F]{2}[:-]){5}[0-9a-fA-F]{2}$/.test(text),
  uri: (text) => URL.canParse(text),
  uuid: (text) => /^[0-9a-f]{8}-?(?:[0-9a-f]{4}-?){3}[0-9a-f]{12}$/i.test(text),
}

/** True when the format is one that strings are checked against. */
export function isStringFormat(format: string | undefined): format is string {
  return format !== undefined && Object.hasOwn(CHECKS, format)
}

/** True when the text is well-formed, or the format is unknown. */
export function matchesFormat(format: string, text: string): boolean {
  return CHECKS[format]?.(text) ?? true
}
