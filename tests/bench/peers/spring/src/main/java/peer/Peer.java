// SPDX-License-Identifier: Apache-2.0
package peer;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.springframework.boot.SpringApplication;
import org.springframework.boot.autoconfigure.SpringBootApplication;

/** A gateway or a worker, by profile: java -jar peer.jar gateway|worker --kafka=HOST:PORT --ready-file=FILE. See ../README.md. */
@SpringBootApplication
public class Peer {
    static final String COMMANDS = "peer.spring.commands", REPLIES = "peer.spring.replies", OPERATION = "operation", STATUS = "status";

    public static void main(String[] arguments) {
        SpringApplication application = new SpringApplication(Peer.class);
        application.setAdditionalProfiles(arguments[0]);
        application.run(arguments);
    }

    static void ready(String file, String text) throws IOException {
        Files.writeString(Path.of(file), text + "\n");
    }
}
