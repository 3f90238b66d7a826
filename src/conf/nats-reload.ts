import { LOG_OPTIONS } from './common.ts'
import { seconds, text } from './options.ts'

export const NATS_RELOAD_OPTIONS = {
  ...LOG_OPTIONS,
  certificates: text("the folder of the server's certificates", '/etc/nats-tls', 'FOLDER'),
  pidFile: text('where the server has written its process id', '/run/nats/nats.pid', 'FILE'),
  monitor: text("the server's monitoring port", 'http://127.0.0.1:8222', 'URL'),
  checkInterval: seconds('between looks at the certificates', 30),
}
