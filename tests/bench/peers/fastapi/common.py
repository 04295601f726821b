# SPDX-License-Identifier: Apache-2.0
"""What gateway and worker share: topics and the command line."""
import argparse

COMMANDS, REPLIES = "peer.fastapi.commands", "peer.fastapi.replies"


def parse():
    parser = argparse.ArgumentParser()
    parser.add_argument("--kafka", required=True)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--ready-file", required=True)
    return parser.parse_args()


def ready(options, text):
    with open(options.ready_file, "w", encoding="utf-8") as file:
        file.write(text + "\n")
