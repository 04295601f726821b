// SPDX-License-Identifier: Apache-2.0
package peer;

import java.io.IOException;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.springframework.beans.factory.annotation.Value;
import org.springframework.context.annotation.Profile;
import org.springframework.context.event.EventListener;
import org.springframework.kafka.annotation.KafkaListener;
import org.springframework.kafka.event.ConsumerStartedEvent;
import org.springframework.kafka.support.KafkaHeaders;
import org.springframework.messaging.Message;
import org.springframework.messaging.handler.annotation.Header;
import org.springframework.messaging.handler.annotation.Payload;
import org.springframework.messaging.handler.annotation.SendTo;
import org.springframework.messaging.support.MessageBuilder;
import org.springframework.stereotype.Component;

/** Items in memory, at-least-once; @SendTo answers to the topic and with the correlation id that the template put in. */
@Component
@Profile("worker")
class Worker {
    private final Map<String, String> items = new ConcurrentHashMap<>();
    @Value("${ready-file}")
    private String readyFile;

    @KafkaListener(topics = Peer.COMMANDS, groupId = "peer.spring.workers")
    @SendTo
    Message<String> handle(@Payload(required = false) String body, @Header(KafkaHeaders.RECEIVED_KEY) String key, @Header(Peer.OPERATION) byte[] operation) {
        if (new String(operation).equals("create")) {
            return items.putIfAbsent(key, body) == null ? reply(201, body) : reply(409, "{\"detail\":\"it exists\"}");
        }
        String found = items.get(key);
        return found != null ? reply(200, found) : reply(404, "{\"detail\":\"no such item\"}");
    }

    private static Message<String> reply(int status, String body) {
        return MessageBuilder.withPayload(body).setHeader(Peer.STATUS, Integer.toString(status).getBytes()).build();
    }

    @EventListener
    void started(ConsumerStartedEvent event) throws IOException {
        Peer.ready(readyFile, "ready");
    }
}
