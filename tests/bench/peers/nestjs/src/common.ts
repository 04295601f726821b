// SPDX-License-Identifier: Apache-2.0
// What gateway and worker share: topics, the command line, the connection.
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { logLevel } from 'kafkajs';

export const COMMANDS = 'peer.nestjs.commands'; // the pattern; replies come by COMMANDS.reply

export interface Command { operation: 'create' | 'read'; id: number; item?: Item }
export interface Item { id: number; name: string; description: string }
export interface Reply { status: number; body: unknown }

const { values } = parseArgs({
  options: { kafka: { type: 'string', default: '127.0.0.1:9092' }, port: { type: 'string', default: '0' }, 'ready-file': { type: 'string', default: '/dev/null' } },
});
export const options = { kafka: values.kafka!, port: Number(values.port) };
export const client = { brokers: [options.kafka], logLevel: logLevel.ERROR };
export const ready = (text: string) => writeFileSync(values['ready-file']!, text + '\n');
