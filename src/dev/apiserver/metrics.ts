/** Counts requests as the real server's `apiserver_request_total` does, and writes them for Prometheus. */
export class RequestMetrics {
  readonly #counts = new Map<string, number>()

  count(labels: Readonly<Record<string, string | number>>): void {
    const key = Object.entries(labels)
      .map(([name, value]) => `${name}=${JSON.stringify(String(value))}`)
      .join(',')
    this.#counts.set(key, (this.#counts.get(key) ?? 0) + 1)
  }

  text(): string {
    const lines = [...this.#counts].map(([key, count]) => `apiserver_request_total{${key}} ${count}`)
    return ['# TYPE apiserver_request_total counter', ...lines, ''].join('\n')
  }
}
