// SPDX-License-Identifier: Apache-2.0
// The gateway with NestJS on Express and its Kafka client. See ../../README.md.
import 'reflect-metadata';
import { Body, Controller, Get, Inject, Module, OnModuleInit, Param, ParseIntPipe, Post, Res } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ClientKafka, ClientsModule, Transport } from '@nestjs/microservices';
import type { Response } from 'express';
import { firstValueFrom, timeout } from 'rxjs';
import { client, Command, COMMANDS, Item, options, ready, Reply } from './common';

const PATIENCE_MS = 10_000;

@Controller('items')
class ItemsController implements OnModuleInit {
  constructor(@Inject('WORKER') private readonly worker: ClientKafka) {}

  async onModuleInit() {
    this.worker.subscribeToResponseOf(COMMANDS);
    await this.worker.connect();
  }

  private async ask(command: Command, response: Response) {
    try {
      const sent = this.worker.send<Reply>(COMMANDS, { key: String(command.id), value: command });
      const reply = await firstValueFrom(sent.pipe(timeout(PATIENCE_MS)));
      response.status(reply.status).json(reply.body);
    } catch {
      response.status(504).json({ detail: 'no reply in time' });
    }
  }

  @Post()
  create(@Body() item: Item, @Res() response: Response) {
    return this.ask({ operation: 'create', id: item.id, item }, response);
  }

  @Get(':id')
  read(@Param('id', ParseIntPipe) id: number, @Res() response: Response) {
    return this.ask({ operation: 'read', id }, response);
  }
}

@Module({
  imports: [ClientsModule.register([{
    name: 'WORKER',
    transport: Transport.KAFKA,
    options: { client: { ...client, clientId: 'gateway' }, consumer: { groupId: 'peer.nestjs.gateway' }, send: { acks: -1 } },
  }])],
  controllers: [ItemsController],
})
class GatewayModule {}

async function main() {
  const app = await NestFactory.create(GatewayModule, { logger: ['error', 'warn'] });
  app.enableShutdownHooks();
  await app.listen(options.port, '127.0.0.1');
  ready((await app.getUrl()).replace('[::1]', '127.0.0.1'));
}
void main();
