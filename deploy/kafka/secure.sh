# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# Sourced by run-kafka: TLS and SASL for a broker on this machine. Certificates and passwords are made for one folder and mean nothing elsewhere.

# make_secrets DIR: an authority, a certificate for 127.0.0.1 and localhost, two passwords.
make_secrets() {
    local dir=$1/secrets user
    # What is there stays, unless it ends within a day.
    [[ ! -s $dir/client.env ]] || ! openssl x509 -checkend 86400 -noout -in "$dir/server.crt" >/dev/null || return 0
    command -v openssl >/dev/null || die 'openssl is missing: apt-get install openssl'
    mkdir -p "$dir"
    (
        umask 077
        openssl req -x509 -newkey rsa:2048 -nodes -days 30 -subj '/CN=Roundtrip test authority' -keyout "$dir/ca.key" -out "$dir/ca.pem"
        openssl req -newkey rsa:2048 -nodes -subj '/CN=localhost' -keyout "$dir/server.key" -out "$dir/server.csr"
        openssl x509 -req -in "$dir/server.csr" -CA "$dir/ca.pem" -CAkey "$dir/ca.key" -CAcreateserial -days 30 -out "$dir/server.crt" \
            -extfile <(printf 'subjectAltName=DNS:localhost,IP:127.0.0.1\n')
        cat "$dir/server.key" "$dir/server.crt" "$dir/ca.pem" >"$dir/server.pem"
        for user in broker roundtrip; do openssl rand -hex 24 >"$dir/$user.password"; done
    ) >"$1/secrets.log" 2>&1 || die "could not make certificates: see $1/secrets.log"
    write_client_env "$dir" >"$dir/client.env"
    ln -sf secrets/client.env "$1/client.env"
}

# For our programs, all by kafka.* settings; the password stays in its file. The broker takes SCRAM-SHA-512, too, but librdkafka older than 2.6.1
# (Debian 12 has 2.0) fails at it with Kafka 4 (kcat's issue 462).
write_client_env() {
    cat <<TEXT
ROUNDTRIP_KAFKA_SECURITY_PROTOCOL=sasl_ssl
ROUNDTRIP_KAFKA_SASL_MECHANISM=PLAIN
ROUNDTRIP_KAFKA_SASL_USERNAME=roundtrip
ROUNDTRIP_KAFKA_SASL_PASSWORD=@$1/roundtrip.password
ROUNDTRIP_KAFKA_SSL_CA_LOCATION=$1/ca.pem
TEXT
}

# secure_users DIR: StorageTool's words that make the users.
secure_users() {
    local user
    for user in broker roundtrip; do
        printf '%s\n' --add-scram "SCRAM-SHA-512=[name=$user,password=$(<"$1/secrets/$user.password")]"
    done
}

secure_properties() {
    local module=org.apache.kafka.common.security broker roundtrip
    broker=$(<"$1/secrets/broker.password") roundtrip=$(<"$1/secrets/roundtrip.password")
    cat <<TEXT
sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-512
sasl.mechanism.inter.broker.protocol=PLAIN
listener.name.sasl_ssl.plain.sasl.jaas.config=$module.plain.PlainLoginModule required username="broker" password="$broker" user_broker="$broker" user_roundtrip="$roundtrip";
listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config=$module.scram.ScramLoginModule required;
ssl.keystore.type=PEM
ssl.keystore.location=$1/secrets/server.pem
ssl.truststore.type=PEM
ssl.truststore.location=$1/secrets/ca.pem
TEXT
}
