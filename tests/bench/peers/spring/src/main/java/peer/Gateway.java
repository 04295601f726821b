// SPDX-License-Identifier: Apache-2.0
package peer;

import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.springframework.beans.factory.annotation.Value;
import org.springframework.boot.web.servlet.context.ServletWebServerInitializedEvent;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.context.annotation.Profile;
import org.springframework.context.event.EventListener;
import org.springframework.http.MediaType;
import org.springframework.http.ResponseEntity;
import org.springframework.kafka.core.ConsumerFactory;
import org.springframework.kafka.core.ProducerFactory;
import org.springframework.kafka.listener.ContainerProperties;
import org.springframework.kafka.listener.KafkaMessageListenerContainer;
import org.springframework.kafka.requestreply.ReplyingKafkaTemplate;
import org.springframework.kafka.support.TopicPartitionOffset;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.PathVariable;
import org.springframework.web.bind.annotation.PostMapping;
import org.springframework.web.bind.annotation.RequestBody;
import org.springframework.web.bind.annotation.RestController;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;

/** HTTP in, ReplyingKafkaTemplate out; answers are asynchronous, so that no thread waits for Kafka. */
@Configuration
@Profile("gateway")
class Gateway {
    record Item(long id, String name, String description) {}

    @Bean
    ReplyingKafkaTemplate<String, String, String> template(ProducerFactory<String, String> producers, ConsumerFactory<String, String> consumers) {
        var replies = new ContainerProperties(new TopicPartitionOffset(Peer.REPLIES, 0, TopicPartitionOffset.SeekPosition.END));
        var template = new ReplyingKafkaTemplate<>(producers, new KafkaMessageListenerContainer<>(consumers, replies));
        template.setDefaultReplyTimeout(Duration.ofSeconds(10));
        template.setSharedReplyTopic(true); // replies to an earlier process are not worth an error
        return template;
    }

    @RestController
    @Profile("gateway")
    static class Items {
        private final ReplyingKafkaTemplate<String, String, String> template;
        private final ObjectMapper json;
        @Value("${ready-file}")
        private String readyFile;

        Items(ReplyingKafkaTemplate<String, String, String> template, ObjectMapper json) {
            this.template = template;
            this.json = json;
        }

        private CompletableFuture<ResponseEntity<String>> ask(String operation, long id, String body) {
            var command = new ProducerRecord<>(Peer.COMMANDS, Long.toString(id), body);
            command.headers().add(Peer.OPERATION, operation.getBytes(StandardCharsets.UTF_8));
            return template.sendAndReceive(command).thenApply(reply -> {
                int status = Integer.parseInt(new String(reply.headers().lastHeader(Peer.STATUS).value(), StandardCharsets.UTF_8));
                return ResponseEntity.status(status).contentType(MediaType.APPLICATION_JSON).body(reply.value());
            });
        }

        @PostMapping("/items/")
        CompletableFuture<ResponseEntity<String>> create(@RequestBody Item item) throws JsonProcessingException {
            return ask("create", item.id(), json.writeValueAsString(item));
        }

        @GetMapping("/items/{id}")
        CompletableFuture<ResponseEntity<String>> read(@PathVariable long id) {
            return ask("read", id, "");
        }

        /** Once a request comes back: replies from before the end of their topic was known are lost. */
        @EventListener
        void serving(ServletWebServerInitializedEvent event) {
            new Thread(() -> {
                while (true) {
                    try {
                        ask("read", 0, "").get(500, java.util.concurrent.TimeUnit.MILLISECONDS);
                        Peer.ready(readyFile, "http://127.0.0.1:" + event.getWebServer().getPort());
                        return;
                    } catch (java.util.concurrent.TimeoutException | java.util.concurrent.ExecutionException late) {
                        continue;
                    } catch (InterruptedException | java.io.IOException broken) {
                        throw new IllegalStateException(broken);
                    }
                }
            }).start();
        }
    }
}
