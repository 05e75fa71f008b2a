package main

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/mod/sumdb/tlog"
)

type inclusion struct {
	Index int64    `json:"index"`
	Size  int64    `json:"size"`
	Proof [][]byte `json:"proof"`
}

type consistency struct {
	Old   int64    `json:"old"`
	New   int64    `json:"new"`
	Proof [][]byte `json:"proof"`
}

type tile struct {
	Level int    `json:"level"`
	Index int64  `json:"index"`
	Width int    `json:"width"`
	Path  string `json:"path"`
	Data  []byte `json:"data"`
}

type treeCheck struct {
	Entries       [][]byte         `json:"entries"`
	Roots         map[int64][]byte `json:"roots"`
	Inclusions    []inclusion      `json:"inclusions"`
	Consistencies []consistency    `json:"consistencies"`
	Tiles         []tile           `json:"tiles"`
}

// stored keeps a tree's hashes as package tlog lays them out.
type stored []tlog.Hash

func (s stored) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	hashes := make([]tlog.Hash, len(indexes))
	for i, index := range indexes {
		if index >= int64(len(s)) {
			return nil, errors.New("beyond the tree")
		}
		hashes[i] = s[index]
	}
	return hashes, nil
}

// checkTree builds the tree of the entries and holds all that is claimed of it against it.
func checkTree(request treeCheck) (answer, error) {
	var tree stored
	for i, entry := range request.Entries {
		hashes, err := tlog.StoredHashes(int64(i), entry, tree)
		if err != nil {
			return answer{}, err
		}
		tree = append(tree, hashes...)
	}
	var faults []error
	for size, root := range request.Roots {
		hash, err := tlog.TreeHash(size, tree)
		if err != nil || !bytes.Equal(hash[:], root) {
			faults = append(faults, fmt.Errorf("root of %d: %v", size, err))
		}
	}
	for _, claim := range request.Inclusions {
		if err := claim.check(tree, request.Entries); err != nil {
			faults = append(faults, fmt.Errorf("inclusion of %d in %d: %w", claim.Index, claim.Size, err))
		}
	}
	for _, claim := range request.Consistencies {
		if err := claim.check(tree); err != nil {
			faults = append(faults, fmt.Errorf("consistency of %d with %d: %w", claim.Old, claim.New, err))
		}
	}
	for _, claim := range request.Tiles {
		if err := claim.check(tree); err != nil {
			faults = append(faults, fmt.Errorf("tile %s: %w", claim.Path, err))
		}
	}
	return answer{}, errors.Join(faults...)
}

func (c inclusion) check(tree stored, entries [][]byte) error {
	root, err := tlog.TreeHash(c.Size, tree)
	if err != nil {
		return err
	}
	leaf := tlog.RecordHash(entries[c.Index])
	return tlog.CheckRecord(tlog.RecordProof(hashes(c.Proof)), c.Size, root, c.Index, leaf)
}

func (c consistency) check(tree stored) error {
	older, err := tlog.TreeHash(c.Old, tree)
	if err != nil {
		return err
	}
	newer, err := tlog.TreeHash(c.New, tree)
	if err != nil {
		return err
	}
	return tlog.CheckTree(tlog.TreeProof(hashes(c.Proof)), c.New, newer, c.Old, older)
}

func (c tile) check(tree stored) error {
	t := tlog.Tile{H: 8, L: c.Level, N: c.Index, W: c.Width}
	data, err := tlog.ReadTileData(t, tree)
	if err != nil {
		return err
	}
	if !bytes.Equal(data, c.Data) {
		return errors.New("other hashes")
	}
	// Package tlog puts the tile height into the path, which C2SP leaves out.
	if path := strings.Replace(t.Path(), "tile/8/", "tile/", 1); path != c.Path {
		return fmt.Errorf("the path is %s", path)
	}
	return nil
}

func hashes(raw [][]byte) []tlog.Hash {
	out := make([]tlog.Hash, len(raw))
	for i, hash := range raw {
		copy(out[i][:], hash)
	}
	return out
}
