package main

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

type opening struct {
	Vkeys []string `json:"vkeys"`
	Note  []byte   `json:"note"`
}

// openNote verifies a note and gives its text; each of the keys must have signed it.
func openNote(request opening) (answer, error) {
	verifiers := make([]note.Verifier, 0, len(request.Vkeys))
	for _, vkey := range request.Vkeys {
		verifier, err := note.NewVerifier(vkey)
		if err != nil {
			return answer{}, err
		}
		verifiers = append(verifiers, verifier)
	}
	opened, err := note.Open(request.Note, note.VerifierList(verifiers...))
	if err != nil {
		return answer{}, err
	}
	if len(opened.Sigs) != len(verifiers) {
		return answer{}, fmt.Errorf("%d of %d keys have signed", len(opened.Sigs), len(verifiers))
	}
	return answer{Text: opened.Text}, nil
}

type signing struct {
	Name string `json:"name"`
	Seed []byte `json:"seed"`
	Text string `json:"text"`
}

// signNote signs a text as a note, with the Ed25519 key of that seed.
func signNote(request signing) (answer, error) {
	public := ed25519.NewKeyFromSeed(request.Seed).Public().(ed25519.PublicKey)
	vkey, err := note.NewEd25519VerifierKey(request.Name, public)
	if err != nil {
		return answer{}, err
	}
	keyID := strings.Split(vkey, "+")[1]
	secret := base64.StdEncoding.EncodeToString(append([]byte{1}, request.Seed...))
	signer, err := note.NewSigner("PRIVATE+KEY+" + request.Name + "+" + keyID + "+" + secret)
	if err != nil {
		return answer{}, err
	}
	signed, err := note.Sign(&note.Note{Text: request.Text}, signer)
	return answer{Vkey: vkey, Note: string(signed)}, err
}

type treeHead struct {
	origin string
	size   int64
	root   tlog.Hash
}

// readTreeHead reads the three lines of a C2SP tlog-checkpoint without extension lines.
func readTreeHead(text string) (treeHead, error) {
	lines := strings.Split(text, "\n")
	if len(lines) != 4 || lines[0] == "" || lines[3] != "" {
		return treeHead{}, errors.New("not a checkpoint of three lines")
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil {
		return treeHead{}, err
	}
	root, err := tlog.ParseHash(lines[2])
	return treeHead{lines[0], size, root}, err
}

type receiptCheck struct {
	Vkey    string `json:"vkey"`
	Digest  []byte `json:"digest"`
	Receipt []byte `json:"receipt"`
}

// checkReceipt verifies a C2SP tlog-proof whose entry is the document's digest and the extra data.
func checkReceipt(request receiptCheck) (answer, error) {
	top, checkpoint, found := bytes.Cut(request.Receipt, []byte("\n\n"))
	lines := strings.Split(string(top), "\n")
	if !found || len(lines) < 3 || lines[0] != "c2sp.org/tlog-proof@v1" {
		return answer{}, errors.New("not a tlog-proof with extra data")
	}
	extra, err := base64.StdEncoding.Strict().DecodeString(strings.TrimPrefix(lines[1], "extra "))
	if err != nil {
		return answer{}, err
	}
	index, err := strconv.ParseInt(strings.TrimPrefix(lines[2], "index "), 10, 64)
	if err != nil {
		return answer{}, err
	}
	proof := tlog.RecordProof{}
	for _, line := range lines[3:] {
		hash, err := tlog.ParseHash(line)
		if err != nil {
			return answer{}, err
		}
		proof = append(proof, hash)
	}
	opened, err := openNote(opening{[]string{request.Vkey}, checkpoint})
	if err != nil {
		return answer{}, err
	}
	head, err := readTreeHead(opened.Text)
	if err != nil {
		return answer{}, err
	}
	entry := append(append([]byte{0}, request.Digest...), extra...)
	return opened, tlog.CheckRecord(proof, head.size, head.root, index, sha256.Sum256(entry))
}
