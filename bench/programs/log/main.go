// Tessera's POSIX log: entries with the documents' bytes, each answered once a signed checkpoint has it. Told: the entries a
// second of each round. Arguments: a file of documents, one a line; rounds; how many are under way at once.
package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"strconv"
	"sync"
	"time"

	"github.com/transparency-dev/tessera"
	"github.com/transparency-dev/tessera/storage/posix"
	"golang.org/x/mod/sumdb/note"
)

func main() {
	raw, err := os.ReadFile(os.Args[1])
	check(err)
	papers := bytes.Split(bytes.TrimSpace(raw), []byte("\n"))
	rounds, err := strconv.Atoi(os.Args[2])
	check(err)
	atOnce, err := strconv.Atoi(os.Args[3])
	check(err)
	rates := []float64{}
	for range rounds {
		rates = append(rates, float64(len(papers))/append_(papers, atOnce).Seconds())
	}
	check(json.NewEncoder(os.Stdout).Encode(rates))
}

func append_(papers [][]byte, atOnce int) time.Duration {
	ctx := context.Background()
	place, err := os.MkdirTemp("", "bench")
	check(err)
	defer os.RemoveAll(place)
	secret, _, err := note.GenerateKey(rand.Reader, "bench.example/log")
	check(err)
	signer, err := note.NewSigner(secret)
	check(err)
	driver, err := posix.New(ctx, posix.Config{Path: place})
	check(err)
	options := tessera.NewAppendOptions().WithCheckpointSigner(signer).
		WithBatching(uint(atOnce), 5*time.Millisecond).WithCheckpointInterval(100 * time.Millisecond)
	appender, shutdown, reader, err := tessera.NewAppender(ctx, driver, options)
	check(err)
	await := tessera.NewPublicationAwaiter(ctx, reader.ReadCheckpoint, 5*time.Millisecond)
	begun := time.Now()
	work := make(chan []byte)
	var running sync.WaitGroup
	for range atOnce {
		running.Go(func() {
			for paper := range work {
				_, _, err := await.Await(ctx, appender.Add(ctx, tessera.NewEntry(paper)))
				check(err)
			}
		})
	}
	for _, paper := range papers {
		work <- paper
	}
	close(work)
	running.Wait()
	spent := time.Since(begun)
	check(shutdown(ctx))
	return spent
}

func check(err error) {
	if err != nil {
		log.Fatal(fmt.Errorf("bench: %w", err))
	}
}
