// Command interop judges Gardesh's transparency log with Go's own implementations of the same standards:
// golang.org/x/mod/sumdb for trees, tiles, proofs and signed notes, filippo.io/mldsa for ML-DSA-44.
//
// It reads one JSON request from standard input and writes one JSON answer. What fails a check is an error in
// the answer; a request that makes no sense ends the program with status 2.
package main

import (
	"encoding/json"
	"fmt"
	"os"
)

type answer struct {
	Error string `json:"error,omitempty"`
	Text  string `json:"text,omitempty"`
	Vkey  string `json:"vkey,omitempty"`
	Note  string `json:"note,omitempty"`
}

var operations = map[string]func(json.RawMessage) (answer, error){
	"open":     serve(openNote),
	"sign":     serve(signNote),
	"tree":     serve(checkTree),
	"cosign":   serve(cosign),
	"cosigned": serve(checkCosignature),
	"receipt":  serve(checkReceipt),
}

func serve[T any](check func(T) (answer, error)) func(json.RawMessage) (answer, error) {
	return func(raw json.RawMessage) (answer, error) {
		var request T
		if err := json.Unmarshal(raw, &request); err != nil {
			refuse(err)
		}
		return check(request)
	}
}

func refuse(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(2)
}

func main() {
	var request struct {
		Op   string          `json:"op"`
		With json.RawMessage `json:"with"`
	}
	if err := json.NewDecoder(os.Stdin).Decode(&request); err != nil {
		refuse(err)
	}
	run, known := operations[request.Op]
	if !known {
		refuse(fmt.Errorf("unknown operation %q", request.Op))
	}
	reply, err := run(request.With)
	if err != nil {
		reply.Error = err.Error()
	}
	if err := json.NewEncoder(os.Stdout).Encode(reply); err != nil {
		refuse(err)
	}
}
