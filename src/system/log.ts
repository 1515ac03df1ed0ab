/** Diagnostics for `--log-level`: lines on stderr, never mixed with results. Secrets (environments) must not be passed in. */
const LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'panic'] as const;
export type LogLevel = (typeof LEVELS)[number];

let threshold: number = LEVELS.indexOf('warn');

export const isLogLevel = (text: string): text is LogLevel => (LEVELS as readonly string[]).includes(text);

export function setLogLevel(level: LogLevel): void {
  threshold = LEVELS.indexOf(level);
}

export const logs = (level: LogLevel): boolean => LEVELS.indexOf(level) >= threshold;

function write(level: LogLevel, message: string): void {
  if (!logs(level)) return;
  const time = new Date().toISOString();
  process.stderr.write(
    `time="${time}" level=${level === 'warn' ? 'warning' : level} msg=${JSON.stringify(message)}\n`,
  );
}

export const logDebug = (message: string): void => write('debug', message);
export const logInfo = (message: string): void => write('info', message);
export const logWarning = (message: string): void => write('warn', message);
