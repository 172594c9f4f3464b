"""The language part: phoneme tokens and style -> durations, F0, energy, and the content the decoder speaks."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from hometone_client.torchbase.layers import AdainResBlk1d, AdaLayerNorm, ChannelLayerNorm

HIDDEN, STYLE = 512, 128
MAX_DURATION = 50


class _Attention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.query, self.key, self.value, self.dense = (nn.Linear(768, 768) for _ in range(4))
        self.LayerNorm = nn.LayerNorm(768, eps=1e-12)

    def forward(self, x: Tensor) -> Tensor:
        def heads(y: Tensor) -> Tensor:
            return y.view(*y.shape[:2], 12, 64).transpose(1, 2)

        context = functional.scaled_dot_product_attention(heads(self.query(x)), heads(self.key(x)), heads(self.value(x)))
        normed: Tensor = self.LayerNorm(x + self.dense(context.transpose(1, 2).flatten(2)))
        return normed


class _AlbertLayer(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.attention = _Attention()
        self.ffn = nn.Linear(768, 2048)
        self.ffn_output = nn.Linear(2048, 768)
        self.full_layer_layer_norm = nn.LayerNorm(768, eps=1e-12)

    def forward(self, x: Tensor) -> Tensor:
        x = self.attention(x)
        normed: Tensor = self.full_layer_layer_norm(self.ffn_output(functional.gelu(self.ffn(x), approximate="tanh")) + x)
        return normed


class Albert(nn.Module):
    """Phoneme-level ALBERT (arXiv 1909.11942): twelve passes of one layer. Parameter names follow Hugging Face."""

    def __init__(self, vocabulary: int = 178) -> None:
        super().__init__()
        self.embeddings = nn.ModuleDict(
            {
                "word_embeddings": nn.Embedding(vocabulary, 128),
                "position_embeddings": nn.Embedding(512, 128),
                "token_type_embeddings": nn.Embedding(2, 128),
                "LayerNorm": nn.LayerNorm(128, eps=1e-12),
            }
        )
        group = nn.ModuleDict({"albert_layers": nn.ModuleList([_AlbertLayer()])})
        self.encoder = nn.ModuleDict({"embedding_hidden_mapping_in": nn.Linear(128, 768), "albert_layer_groups": nn.ModuleList([group])})

    def forward(self, tokens: Tensor) -> Tensor:
        """Tokens [B, n] -> [B, n, 768]."""
        e = self.embeddings
        positions = torch.arange(tokens.shape[1], device=tokens.device)
        embedded = e["word_embeddings"](tokens) + e["position_embeddings"](positions) + e["token_type_embeddings"](torch.zeros_like(tokens))
        x: Tensor = self.encoder["embedding_hidden_mapping_in"](e["LayerNorm"](embedded))
        layer = self.get_submodule("encoder.albert_layer_groups.0.albert_layers.0")
        for _ in range(12):
            x = layer(x)
        return x


class TextEncoder(nn.Module):
    """Phoneme tokens -> content vectors [B, 512, n]."""

    def __init__(self, vocabulary: int = 178) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, HIDDEN)
        self.cnn = nn.ModuleList(
            nn.Sequential(nn.Conv1d(HIDDEN, HIDDEN, 5, padding=2), ChannelLayerNorm(HIDDEN), nn.LeakyReLU(0.2)) for _ in range(3)
        )
        self.lstm = nn.LSTM(HIDDEN, HIDDEN // 2, batch_first=True, bidirectional=True)

    def forward(self, tokens: Tensor) -> Tensor:
        """Tokens [B, n] -> [B, 512, n]."""
        x = self.embedding(tokens).transpose(1, 2)
        for block in self.cnn:
            x = block(x)
        made: Tensor = self.lstm(x.transpose(1, 2))[0].transpose(1, 2)
        return made


class DurationEncoder(nn.Module):
    """Three BiLSTMs, each followed by a style-conditioned layer norm."""

    def __init__(self) -> None:
        super().__init__()
        blocks: list[nn.Module] = []
        for _ in range(3):
            blocks += [nn.LSTM(HIDDEN + STYLE, HIDDEN // 2, batch_first=True, bidirectional=True), AdaLayerNorm(STYLE, HIDDEN)]
        self.lstms = nn.ModuleList(blocks)

    def forward(self, x: Tensor, style: Tensor) -> Tensor:
        """X [B, n, 512], style [B, 128] -> [B, n, 640] (style appended)."""
        wide = style.unsqueeze(1).expand(-1, x.shape[1], -1)
        x = torch.cat([x, wide], dim=-1)
        for block in self.lstms:
            x = block(x)[0] if isinstance(block, nn.LSTM) else torch.cat([block(x, style), wide], dim=-1)
        return x


class ProsodyPredictor(nn.Module):
    """Durations from encoded tokens; F0 and energy from the same, stretched to 40 Hz."""

    def __init__(self) -> None:
        super().__init__()
        self.text_encoder = DurationEncoder()
        self.lstm = nn.LSTM(HIDDEN + STYLE, HIDDEN // 2, batch_first=True, bidirectional=True)
        self.duration_proj = nn.ModuleDict({"linear_layer": nn.Linear(HIDDEN, MAX_DURATION)})
        self.shared = nn.LSTM(HIDDEN + STYLE, HIDDEN // 2, batch_first=True, bidirectional=True)
        self.F0 = nn.ModuleList(self._head())
        self.N = nn.ModuleList(self._head())
        self.F0_proj = nn.Conv1d(HIDDEN // 2, 1, 1)
        self.N_proj = nn.Conv1d(HIDDEN // 2, 1, 1)

    @staticmethod
    def _head() -> list[nn.Module]:
        half = HIDDEN // 2
        return [AdainResBlk1d(HIDDEN, HIDDEN, STYLE), AdainResBlk1d(HIDDEN, half, STYLE, upsample=True), AdainResBlk1d(half, half, STYLE)]

    def durations(self, encoded: Tensor) -> Tensor:
        """Encoded [B, n, 640] -> expected frames of 1/40 s [B, n], not rounded."""
        frames: Tensor = torch.sigmoid(self.duration_proj["linear_layer"](self.lstm(encoded)[0])).sum(-1)
        return frames

    def curves(self, stretched: Tensor, style: Tensor) -> tuple[Tensor, Tensor]:
        """Stretched [B, T, 640] -> F0 in Hz and energy, each [B, 2T]."""
        x = self.shared(stretched)[0].transpose(1, 2)
        f0 = energy = x
        for block in self.F0:
            f0 = block(f0, style)
        for block in self.N:
            energy = block(energy, style)
        return self.F0_proj(f0).squeeze(1), self.N_proj(energy).squeeze(1)


@dataclass(frozen=True, slots=True)
class TextSide:
    """What depends on the text alone: tokens [B, n], encoded [B, n, 512] (ALBERT), content [B, 512, n]."""

    tokens: Tensor
    encoded: Tensor
    content: Tensor


class LanguagePart(nn.Module):
    """ALBERT, text encoder and prosody predictor under the names Kokoro's own checkpoint uses."""

    def __init__(self) -> None:
        super().__init__()
        self.bert = Albert()
        self.bert_encoder = nn.Linear(768, HIDDEN)
        self.text_encoder = TextEncoder()
        self.predictor = ProsodyPredictor()

    def read(self, tokens: Tensor) -> TextSide:
        """Tokens [B, n] with the padding token 0 at both ends."""
        return TextSide(tokens, self.bert_encoder(self.bert(tokens)), self.text_encoder(tokens))

    def encode(self, text: TextSide, style: Tensor) -> Tensor:
        """Prosody style [B, 128] -> [B, n, 640]."""
        encoded: Tensor = self.predictor.text_encoder(text.encoded, style)
        return encoded


def stretch(x: Tensor, durations: Tensor) -> Tensor:
    """Repeat the tokens of x [n, C] by whole durations [n] -> [T, C]."""
    return torch.repeat_interleave(x, durations, dim=0)
