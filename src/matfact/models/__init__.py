"""The estimators."""

from matfact.models.als import ALS
from matfact.models.bpmf import BPMF
from matfact.models.bpr import BPR
from matfact.models.gd import GD
from matfact.models.ials import ImplicitALS
from matfact.models.imputer import Imputer
from matfact.models.nmf import NMF
from matfact.models.sgd import SGD
from matfact.models.vbmf import VBMF

__all__ = ["ALS", "BPMF", "BPR", "GD", "NMF", "SGD", "VBMF", "ImplicitALS", "Imputer"]
