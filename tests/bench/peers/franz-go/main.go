// SPDX-License-Identifier: Apache-2.0

// A gateway and a worker with franz-go and net/http, items in memory: what a Go developer would write. See ../README.md.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

const (
	commands = "peer.franz-go.commands"
	replies  = "peer.franz-go.replies"
	patience = 10 * time.Second
)

type item struct {
	ID          int64  `json:"id"`
	Name        string `json:"name"`
	Description string `json:"description"`
}

func header(record *kgo.Record, key string) []byte {
	for _, h := range record.Headers {
		if h.Key == key {
			return h.Value
		}
	}
	return nil
}

func client(kafka string, options ...kgo.Opt) *kgo.Client {
	made, err := kgo.NewClient(append([]kgo.Opt{
		kgo.SeedBrokers(kafka),
		kgo.ProducerLinger(0),
		kgo.RequiredAcks(kgo.AllISRAcks()),
		kgo.ProducerBatchCompression(kgo.NoCompression()),
	}, options...)...)
	if err != nil {
		log.Fatalf("Kafka: %v", err)
	}
	return made
}

// ---- the gateway ----

type gateway struct {
	kafka   *kgo.Client
	next    atomic.Uint64
	pending sync.Map // correlation id -> chan *kgo.Record
}

// ask sends a command and waits for its reply.
func (g *gateway) ask(w http.ResponseWriter, r *http.Request, operation, key string, body []byte) {
	correlation := strconv.FormatUint(g.next.Add(1), 36)
	answer := make(chan *kgo.Record, 1)
	g.pending.Store(correlation, answer)
	defer g.pending.Delete(correlation)
	g.kafka.Produce(r.Context(), &kgo.Record{
		Topic: commands, Key: []byte(key), Value: body,
		Headers: []kgo.RecordHeader{{Key: "operation", Value: []byte(operation)}, {Key: "correlation", Value: []byte(correlation)}},
	}, func(_ *kgo.Record, err error) {
		if err != nil {
			log.Printf("produce: %v", err)
		}
	})
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-r.Context().Done():
	case reply := <-answer:
		status, _ := strconv.Atoi(string(header(reply, "status")))
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		w.Write(reply.Value)
	case <-timer.C:
		http.Error(w, "no reply in time", http.StatusGatewayTimeout)
	}
}

func (g *gateway) create(w http.ResponseWriter, r *http.Request) {
	var one item
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<20)).Decode(&one); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	body, _ := json.Marshal(one)
	g.ask(w, r, "create", strconv.FormatInt(one.ID, 10), body)
}

func (g *gateway) read(w http.ResponseWriter, r *http.Request) {
	g.ask(w, r, "read", r.PathValue("id"), nil)
}

func (g *gateway) listen(ctx context.Context) {
	for {
		fetches := g.kafka.PollFetches(ctx)
		if ctx.Err() != nil {
			return
		}
		fetches.EachRecord(func(record *kgo.Record) {
			if answer, ok := g.pending.Load(string(header(record, "correlation"))); ok {
				answer.(chan *kgo.Record) <- record
			}
		})
	}
}

// probe waits until a request comes back: replies from before the end of their topic was known are lost.
func (g *gateway) probe(ctx context.Context, url string) {
	for ctx.Err() == nil {
		try, cancel := context.WithTimeout(ctx, 500*time.Millisecond)
		request, _ := http.NewRequestWithContext(try, http.MethodGet, url+"/items/0", nil)
		response, err := http.DefaultClient.Do(request)
		cancel()
		if err == nil {
			response.Body.Close()
			return
		}
	}
}

func runGateway(ctx context.Context, kafka string, port int, ready func(string)) {
	g := &gateway{kafka: client(kafka, kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{replies: {0: kgo.NewOffset().AtEnd()}}))}
	g.next.Store(uint64(time.Now().UnixNano())) // replies to an earlier process find nobody
	go g.listen(ctx)
	mux := http.NewServeMux()
	mux.HandleFunc("POST /items/", g.create)
	mux.HandleFunc("GET /items/{id}", g.read)
	listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		log.Fatal(err)
	}
	server := &http.Server{Handler: mux}
	go server.Serve(listener)
	g.probe(ctx, "http://"+listener.Addr().String())
	ready("http://" + listener.Addr().String())
	<-ctx.Done()
	server.Shutdown(context.Background())
}

// ---- the worker ----

func handle(items map[string][]byte, record *kgo.Record) (int, []byte) {
	key := string(record.Key)
	if string(header(record, "operation")) == "create" {
		if _, exists := items[key]; exists {
			return http.StatusConflict, []byte(`{"detail":"it exists"}`)
		}
		items[key] = record.Value
		return http.StatusCreated, record.Value
	}
	if found, exists := items[key]; exists {
		return http.StatusOK, found
	}
	return http.StatusNotFound, []byte(`{"detail":"no such item"}`)
}

func runWorker(ctx context.Context, kafka string, ready func(string)) {
	var once sync.Once
	worker := client(kafka, kgo.ConsumeTopics(commands), kgo.ConsumerGroup("peer.franz-go.workers"),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.OnPartitionsAssigned(func(context.Context, *kgo.Client, map[string][]int32) { once.Do(func() { ready("ready") }) }))
	items := map[string][]byte{}
	for {
		fetches := worker.PollFetches(ctx)
		if ctx.Err() != nil {
			break
		}
		fetches.EachRecord(func(record *kgo.Record) {
			status, body := handle(items, record)
			worker.Produce(ctx, &kgo.Record{
				Topic: replies, Partition: 0, Value: body,
				Headers: []kgo.RecordHeader{{Key: "correlation", Value: header(record, "correlation")}, {Key: "status", Value: []byte(strconv.Itoa(status))}},
			}, nil)
		})
	}
	worker.Close()
}

func main() {
	if len(os.Args) < 2 {
		log.Fatal("usage: peer gateway|worker --kafka HOST:PORT [--port N] --ready-file FILE")
	}
	flags := flag.NewFlagSet(os.Args[1], flag.ExitOnError)
	kafka := flags.String("kafka", "127.0.0.1:9092", "the broker")
	port := flags.Int("port", 0, "of HTTP; 0: any free one")
	file := flags.String("ready-file", "", "written once it serves")
	flags.Parse(os.Args[2:])
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	ready := func(text string) { os.WriteFile(*file, []byte(text+"\n"), 0o644) }
	if os.Args[1] == "gateway" {
		runGateway(ctx, *kafka, *port, ready)
	} else {
		runWorker(ctx, *kafka, ready)
	}
}
