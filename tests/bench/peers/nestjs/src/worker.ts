// SPDX-License-Identifier: Apache-2.0
// The worker with NestJS' Kafka transport: items in memory, at-least-once. See ../../README.md.
import 'reflect-metadata';
import { Controller, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { MessagePattern, MicroserviceOptions, Payload, Transport } from '@nestjs/microservices';
import { client, Command, COMMANDS, Item, ready, Reply } from './common';

@Controller()
class ItemsController {
  private readonly items = new Map<number, Item>();

  @MessagePattern(COMMANDS)
  handle(@Payload() command: Command): Reply {
    const found = this.items.get(command.id);
    if (command.operation === 'create') {
      if (found) return { status: 409, body: { detail: 'it exists' } };
      this.items.set(command.id, command.item!);
      return { status: 201, body: command.item };
    }
    return found ? { status: 200, body: found } : { status: 404, body: { detail: 'no such item' } };
  }
}

@Module({ controllers: [ItemsController] })
class WorkerModule {}

async function main() {
  const app = await NestFactory.createMicroservice<MicroserviceOptions>(WorkerModule, {
    logger: ['error', 'warn'],
    transport: Transport.KAFKA,
    options: { client: { ...client, clientId: 'worker' }, consumer: { groupId: 'peer.nestjs.workers' }, subscribe: { fromBeginning: true }, send: { acks: -1 } },
  });
  app.enableShutdownHooks();
  await app.listen();
  ready('ready');
}
void main();
