/**
 * The process log: one JSON object a line on standard error (pino), from every actor.
 */
import { pino } from 'pino';
import type { Log } from '#src/supervision/processing-group';

export function openLog(level: string): Log {
  const logger = pino({ level, base: null }, pino.destination({ fd: 2, sync: true }));
  return (severity, message, fields = {}) => logger[severity](fields, message);
}
